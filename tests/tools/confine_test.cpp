// --confine, its limits, and doctor. What a model can do is tried by tests/hostile.
#include "scratch.h"

#include <nlohmann/json.hpp>

namespace tool_test {
namespace {

class Confined : public InScratch {
 protected:
  void SetUp() override {
    InScratch::SetUp();
    const auto json = nlohmann::json::parse(run_here({"doctor", "--json"}).out);
    if (const auto& missing = json.at("confinement").at("missing"); !missing.empty()) {
      GTEST_SKIP() << "this machine leaves open " << missing;
    }
  }
};
using Doctor = InScratch;
using Confine = InScratch;

TEST_F(Doctor, SaysWhatTheMachineOffers) {
  const auto outcome = run_here({"doctor"});
  EXPECT_EQ(outcome.code, 0);
  EXPECT_TRUE(contains(outcome.out, "confinement   Landlock "));
  const auto json = nlohmann::json::parse(run_here({"doctor", "--json"}).out);
  EXPECT_EQ(json.at("schema"), 1);
  EXPECT_GT(json.at("threads"), 0);
  EXPECT_TRUE(std::filesystem::exists(json.at("libtorch_file").get<std::string>()));
  EXPECT_TRUE(contains(outcome.out, json.at("libtorch_file").get<std::string>()));
}

TEST_F(Confined, WritesOutputAndRecordAndNothingElse) {
  const auto outcome = run_here({"convert", model_file("scripted_module.pt"), "-o", "out.pt",
                                 "--to", "relu", "--epochs", "0", "--input", "2x3x8x8", "--run-dir",
                                 "runs/one", "--confine", "require"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(files(),
            (Words{"out.pt", "runs/one/config.toml", "runs/one/events.out.tfevents.actswap",
                   "runs/one/metrics.jsonl", "runs/one/report.html", "runs/one/run.json"}));
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(path("")), {}), 2)
      << "a scratch folder stayed";
}

TEST_F(Confined, LimitsMemory) {
  expect_failure(run_here({"inspect", model_file("scripted_module.pt"), "--max-memory", "1MB"}), 2,
                 {"--max-memory", "MB or more", "got 1MB"});
}

TEST_F(Confine, NeedsASupervisor) {
  auto alone = here();
  alone.settings = {"ACTSWAP_SUPERVISE=0"};
  expect_failure(run({"inspect", model_file("scripted_module.pt"), "--confine", "require"}, alone),
                 2, {"--confine require", "no other process supervises"});
}

TEST_F(Confine, RefusesWhatItDoesNotKnow) {
  expect_failure(run_here({"inspect", model_file("scripted_module.pt"), "--confine", "perhaps"}), 2,
                 {"--confine"});
  expect_failure(
      run_here({"inspect", model_file("scripted_module.pt"), "--max-processor-time", "0"}), 2,
      {"--max-processor-time"});
}

}  // namespace
}  // namespace tool_test
