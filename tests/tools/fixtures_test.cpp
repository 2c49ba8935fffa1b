// Files that earlier versions wrote are read as docs/formats.md promises. tests/fixtures/make.py
// wrote them.
#include "scratch.h"

#include <actswap/checkpoint/state_file.h>
#include <nlohmann/json.hpp>

namespace tool_test {
namespace {

using Json = nlohmann::json;

class Fixtures : public InScratch {
 protected:
  /// A copy of the files of version 0.1.0, as schema 1 and checkpoints of version 1 have them.
  void SetUp() override {
    InScratch::SetUp();
    const auto folder = std::string(ACTSWAP_SOURCE_DIR) + "/tests/fixtures/0.1.0";
    std::filesystem::copy(folder, path(""), std::filesystem::copy_options::recursive);
  }
};

TEST_F(Fixtures, AnExportVerifiesItself) {
  const auto outcome = run_here({"verify", "export.pt", "--json"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_TRUE(Json::parse(outcome.out).at("verified").get<bool>());
}

TEST_F(Fixtures, ABlendedModelIsCollapsed) {
  const auto outcome = run_here({"collapse", "blended.pt", "-o", "out.pt"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  auto collapsed = torch::jit::load(path("out.pt"));
  auto original = torch::jit::load(path("model.pt"));
  const auto x = torch::linspace(-2, 2, 12).reshape({2, 6});
  const auto swapped =
      torch::relu(torch::linear(x, original.attr("first").toModule().attr("weight").toTensor(),
                                original.attr("first").toModule().attr("bias").toTensor()));
  const auto last = original.attr("last").toModule();
  EXPECT_TRUE(torch::allclose(
      collapsed({x}).toTensor(),
      torch::linear(swapped, last.attr("weight").toTensor(), last.attr("bias").toTensor())));
}

TEST_F(Fixtures, RunsAreListedAndReported) {
  const auto runs = run_here({"runs", ".", "--json"});
  ASSERT_EQ(runs.code, 0) << runs.err;
  const auto list = Json::parse(runs.out).at("runs");
  ASSERT_EQ(list.size(), 2U);
  EXPECT_EQ(list[0].at("status"), "done");
  EXPECT_EQ(list[0].at("metric"), "accuracy");
  EXPECT_EQ(list[1].at("status"), "interrupted");
  EXPECT_EQ(list[1].at("phase"), "retarget");
  const auto report = run_here({"report", "export.pt.run", "stopped.pt.run", "-o", "out.html"});
  EXPECT_EQ(report.code, 0) << report.err;
}

TEST_F(Fixtures, AConfigurationRepeatsItsRun) {
  std::filesystem::remove(path("export.pt"));
  const auto outcome =
      run_here({"convert", "--config", "export.pt.run/config.toml", "--run-dir", "again"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  const auto before = Json::parse(read_file(path("export.pt.run/run.json")));
  const auto after = Json::parse(read_file(path("again/run.json")));
  for (const auto* key : {"sites_swapped", "recipe", "parameters"}) {
    EXPECT_EQ(after.at(key), before.at(key)) << key;
  }
}

TEST_F(Fixtures, ACheckpointIsRead) {
  const auto newest = std::filesystem::exists(path("stopped.pt.run/checkpoint-0")) ? "checkpoint-0"
                                                                                   : "checkpoint-1";
  const auto state = actswap::read_state(path(std::string("stopped.pt.run/") + newest));
  for (const auto* part : {"facts", "finished"}) {
    EXPECT_TRUE(state.has_part(part)) << part;
  }
  // It has seen other data: these were written, and copied, at another time.
  expect_failure(run_here({"convert", "--resume", "stopped.pt.run"}), 2, {"data.pt"});
}

}  // namespace
}  // namespace tool_test
