// What a run leaves in its folder for people, and the page of several runs.
#include "scratch.h"

#include <nlohmann/json.hpp>

#include <cstdlib>
#include <filesystem>

namespace tool_test {
namespace {

using Json = nlohmann::json;

class Report : public InScratch {
 protected:
  // A training of a few steps with a control.
  void convert() const {
    write_images("data.pt", 64);
    const auto outcome =
        run_here({"convert", model_file("scripted_module.pt"), "-o", "relu.pt", "--train",
                  "data.pt", "--val", "data.pt", "--epochs", "1", "--batch", "8", "--check-every",
                  "0.5", "--control", "--calibrate-inputs", "32"});
    ASSERT_EQ(outcome.code, 0) << outcome.err;
  }
  std::string page() const { return read_file(path("relu.pt.run/report.html")); }
  // @return its exit code
  int run_python(const std::string& arguments) const {
    const auto command = std::string(ACTSWAP_PYTHON) + " " + ACTSWAP_SOURCE_DIR + "/tests/" +
                         arguments + " > '" + path("said") + "' 2>&1";
    return WEXITSTATUS(std::system(command.c_str()));
  }
};

TEST_F(Report, LiesInTheFolderOfEachRun) {
  convert();
  const auto html = page();
  for (const auto* const part :
       {"3 of 3 activations were swapped", "Step by step", "<h2>Training", "retarget", "control",
        "stem.2/forward/0", "of the time; error", "<h2>Latency", "actswap convert --config"}) {
    EXPECT_TRUE(contains(html, part)) << part;
  }
  const auto record = Json::parse(read_file(path("relu.pt.run/run.json")));
  EXPECT_EQ(record["latency"]["original"]["runs_ms"].size(), 10U);
  EXPECT_GE(record["machine"]["processors"], 1);
  for (const auto& site : record["sites"]) {
    EXPECT_EQ(site["inputs"]["counts"].size(), 32U);
    EXPECT_GT(site["share"], 0.0);
    EXPECT_GT(site["error"]["swap"], 0.0);
    EXPECT_GT(site["error"]["exported"], 0.0);
  }
}

TEST_F(Report, EventsAreReadByTensorboard) {
  convert();
  const int code = run_python("event_file.py '" + path("relu.pt.run") + "'");
  if (code == 77) {
    GTEST_SKIP() << read_file(path("said"));
  }
  EXPECT_EQ(code, 0) << read_file(path("said"));
}

// Two runs, and the example in docs/, as a phone and a desk show them.
TEST_F(Report, LooksRightInChromium) {
  convert();
  const auto outcome =
      run_here({"report", "relu.pt.run", "relu.pt.run/run.json", "-o", "two.html"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(outcome.out, "written to two.html\n");
  const int code = run_python("report_page.py '" + path("two.html") + "' '" +
                              path("relu.pt.run/report.html") + "'");
  if (code == 77) {
    GTEST_SKIP() << read_file(path("said"));
  }
  EXPECT_EQ(code, 0) << read_file(path("said"));
}

// Where the accuracy is too low nothing is exported, but people want to see why.
TEST_F(Report, IsWrittenWhereTheGateFailsToo) {
  write_images("data.pt", 64);
  const auto outcome =
      run_here({"convert", model_file("scripted_module.pt"), "-o", "relu.pt", "--train", "data.pt",
                "--val", "data.pt", "--epochs", "0.2", "--max-drop", "0", "--lr", "1",
                "--optimizer", "sgd", "--recipe", "hard"});
  if (outcome.code == 5) {
    EXPECT_TRUE(contains(page(), "This run failed: The accuracy fell by "));
    EXPECT_FALSE(std::filesystem::exists(path("relu.pt")));
  } else {
    EXPECT_EQ(outcome.code, 0) << outcome.err;
  }
}

TEST_F(Report, SaysWhatIsNoRun) {
  auto outcome = run_here({"report", "nowhere.run"});
  EXPECT_EQ(outcome.code, 3);
  EXPECT_TRUE(contains(outcome.err, "'nowhere.run' is no file")) << outcome.err;
  write("run.json", "{}");
  outcome = run_here({"report", "."});
  EXPECT_EQ(outcome.code, 3);
  EXPECT_TRUE(contains(outcome.err, "one without a schema")) << outcome.err;
  outcome = run_here({"report", ".", "-o", "nowhere/report.html"});
  EXPECT_EQ(outcome.code, 3) << outcome.err;
}

}  // namespace
}  // namespace tool_test
