// convert --resume and runs: what the record of a run is good for.
#include "scratch.h"

#include <nlohmann/json.hpp>

namespace tool_test {
namespace {

using Json = nlohmann::json;

class Resume : public InScratch {
 protected:
  // Interrupted after its first epoch.
  void interrupt_a_run() {
    write_images("data.pt", 32);
    auto options = here();
    Process process(
        {"convert", model_file("scripted_module.pt"), "-o", "out.pt", "--train", "data.pt",
         "--epochs", "60", "--calibrate-passes", "1", "--lr", "0.001", "--batch", "16"},
        options);
    ASSERT_TRUE(process.wait_for("retarget: epoch 1,"));
    process.send(SIGTERM);
    const auto outcome = process.finish();
    ASSERT_EQ(outcome.code, 143) << outcome.err;
  }
  Json runs() const {
    const auto outcome = run_here({"runs", ".", "--json"});
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    return Json::parse(outcome.out).at("runs");
  }
};

TEST_F(Resume, NeedsTheFolderOfTheRunAlone) {
  interrupt_a_run();
  const auto before = runs();
  ASSERT_EQ(before.size(), 1U);
  EXPECT_EQ(before[0].at("status"), "interrupted");
  EXPECT_EQ(before[0].at("target"), "relu");
  EXPECT_EQ(before[0].at("phase"), "retarget");
  // What differs is named, what is the same may be given.
  expect_failure(run_here({"convert", "--resume", "out.pt.run", "--lr", "0.002"}), 2,
                 {"--lr 0.001", "0.002"});
  expect_failure(run_here({"convert", "--resume", "out.pt.run", "--control"}), 2, {"--control"});
  const auto outcome =
      run_here({"convert", "--resume=out.pt.run", "--batch=16", "-o", "out.pt", "--json"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(Json::parse(outcome.out).at("status"), "done");
  EXPECT_EQ(Json::parse(outcome.out).at("epochs").size(), 60U);
  EXPECT_TRUE(std::filesystem::exists(path("out.pt")));
  EXPECT_EQ(runs()[0].at("status"), "done");
  expect_failure(run_here({"convert", "--resume", "out.pt.run"}), 2, {"is done"});
}

TEST_F(Resume, OtherDataAreRefusedByName) {
  interrupt_a_run();
  // The same tensors, written again later.
  const auto bytes = read_file(path("data.pt"));
  write("data.pt", bytes);
  expect_failure(run_here({"convert", "--resume", "out.pt.run"}), 2, {"Cannot resume", "data.pt"});
}

TEST_F(Resume, WhatIsNoRunIsSaid) {
  expect_failure(run_here({"convert", "--resume", "nothing"}), 3, {"nothing/run.json"});
  std::filesystem::create_directories(path("odd"));
  for (const char* text : {"", "{}", "[1]", "{\"status\": 3}"}) {
    write("odd/run.json", text);
    expect_failure(run_here({"convert", "--resume", "odd"}), 3, {"odd/run.json"});
    EXPECT_EQ(runs()[0].at("status"), "unreadable");
  }
  expect_failure(run_here({"runs", "none"}), 3, {"none"});
}

}  // namespace
}  // namespace tool_test
