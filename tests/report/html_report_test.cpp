// The report as HTML: what it says, what it leaves out, and that strangers' names stay text.
#include <actswap/base/error.h>
#include <actswap/report/html_report.h>

#include <gtest/gtest.h>

#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <regex>

namespace actswap {
namespace {

using Json = nlohmann::ordered_json;

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

// Tags are closed in the order in which they were opened.
void expect_well_formed(const std::string& html) {
  static const std::regex tag("<(/?)([a-zA-Z0-9]+)([^<>]*)>");
  std::vector<std::string> open;
  for (std::sregex_iterator at(html.begin(), html.end(), tag), end; at != end; ++at) {
    const auto name = (*at)[2].str();
    const auto rest = (*at)[3].str();
    if (name == "meta" || rest.ends_with("/")) {
      continue;
    }
    if ((*at)[1].length() == 0) {
      open.push_back(name);
      continue;
    }
    ASSERT_FALSE(open.empty()) << name;
    ASSERT_EQ(open.back(), name) << html.substr(static_cast<std::size_t>(at->position()), 80);
    open.pop_back();
  }
  EXPECT_TRUE(open.empty());
}

Json latency(double median, double ratio) {
  return {{"median_ms", median},
          {"interval_ms", {0.9 * median, 1.1 * median}},
          {"minimum_ms", 0.8 * median},
          {"ratio_to_first", ratio},
          {"ratio_interval", {ratio, ratio}},
          {"runs_ms", {0.9 * median, median, 1.3 * median}},
          {"processor_share", 0.97},
          {"doubt", ""}};
}

RecordedRun full_run() {
  const Json interval = {
      {"difference", -0.5}, {"half_width", 0.2}, {"count", 1000}, {"distinct", true}};
  const Json control = {
      {"difference", 0.1}, {"half_width", 0.3}, {"count", 1000}, {"distinct", false}};
  RecordedRun run;
  run.folder = "relu.pt.run";
  run.record = {
      {"schema", 1},
      {"model", {{"path", "mish.pt"}, {"sha256", "ab12"}}},
      {"output", "out/relu.pt"},
      {"sites_swapped", 1},
      {"verified", true},
      {"max_rel_diff", 0.0},
      {"verified_on", "8x1x28x28:float32"},
      {"trained", true},
      {"recipe", "calibrated, trained on distil"},
      {"metric", "accuracy"},
      {"original", 91.0},
      {"swap_alone", 80.25},
      {"calibrated", 90.0},
      {"retargeted", 90.5},
      {"control", 90.4},
      {"comparisons",
       {{"original", {{"examples", interval}}}, {"control", {{"examples", control}}}}},
      {"evaluations",
       {{"original", {{"mean_loss", 0.25}, {"per_class", {90.0, 92.0, nullptr}}}},
        {"retargeted", {{"mean_loss", 0.26}, {"per_class", {91.0, 88.0, nullptr}}}}}},
      {"epochs",
       {{{"step", 100},
         {"t", 0.5},
         {"loss", 0.9},
         {"learning_rate", 1e-3},
         {"checks", {{{"step", 50}, {"value", 85.0}}}}},
        {{"step", 200}, {"t", 1.0}, {"loss", 0.3}, {"learning_rate", 1e-4}}}},
      {"control_epochs", {{{"step", 200}, {"t", 1.0}, {"loss", 0.2}, {"learning_rate", 1e-4}}}},
      {"calibration",
       {{"layers",
         {{{"name", "conv1"},
           {"fit", "regression"},
           {"error_before", 0.5},
           {"error_after", 0.125}}}}}},
      {"pruning",
       {{"multiplications", {{"before", 2000}, {"after", 1000}}},
        {"groups", {{{"name", "conv1"}, {"before", 16}, {"after", 9}, {"loss", 0.0125}}}},
        {"after_pruning", {{"value", 89.5}}}}},
      {"latency", {{"original", latency(4.0, 1.0)}, {"exported", latency(2.0, 0.5)}}},
      {"machine", {{"processor", "Some CPU"}, {"processors", 2}, {"threads", 2}, {"load", 1.5}}},
      {"sites",
       {{{"id", "act/forward/0"},
         {"activation", "mish"},
         {"params", Json::object()},
         {"selected", true},
         {"target", "relu"},
         {"reason", "selected"},
         {"share", 0.125},
         {"inputs", {{"low", -3.0}, {"high", 3.0}, {"counts", {1, 4, 1}}}},
         {"error", {{"swap", 0.25}, {"exported", 0.0625}}}},
        {{"id", "head/forward/0"},
         {"activation", "swish"},
         {"params", {{"beta", 1.0}}},
         {"selected", false},
         {"target", nullptr},
         {"reason", "kept by --keep head.*"}}}}};
  return run;
}

std::vector<std::string> headings(const std::string& html) {
  static const std::regex heading("<h2>([^<]*)</h2>");
  std::vector<std::string> found;
  for (std::sregex_iterator at(html.begin(), html.end(), heading), end; at != end; ++at) {
    found.push_back((*at)[1]);
  }
  return found;
}

TEST(HtmlReport, SaysTheVerdictWithItsInterval) {
  const auto html = html_report({full_run()});
  EXPECT_TRUE(contains(html,
                       "1 of 2 activations were swapped; accuracy is 90.50 %, worse than the "
                       "original’s 91.00 % (−0.50 ± 0.20 points, 95 % interval, paired over 1000 "
                       "examples), no difference from the control’s 90.40 % is seen (+0.10 ± 0.30 "
                       "points, 95 % interval, paired over 1000 examples); a forward takes 0.50 "
                       "times as long as the original’s (0.50 to 0.50)."))
      << html;
}

TEST(HtmlReport, ABetterLossIsALowerOne) {
  auto run = full_run();
  run.record["metric"] = "mse";
  EXPECT_TRUE(
      contains(html_report({run}), "mse is 90.5, better than the original’s 91 (−0.5 ± 0.2,"))
      << html_report({run});
}

TEST(HtmlReport, HasItsSectionsInOrder) {
  const auto html = html_report({full_run()});
  EXPECT_EQ(headings(html),
            std::vector<std::string>({"Verdict", "Step by step", "Training", "Sites", "Layers",
                                      "Pruning", "Classes", "Latency", "What was verified",
                                      "How to repeat it", "Glossary"}));
  expect_well_formed(html);
  // A site with its functions, its share and its errors; a kept one with the reason.
  EXPECT_TRUE(contains(html, "12.5 % of the time; error 0.25 → 0.0625")) << html;
  EXPECT_TRUE(contains(html, ">silu</td><td>stays</td>")) << html;
  EXPECT_TRUE(contains(html, "kept by --keep head.*"));
  EXPECT_TRUE(
      contains(html, "<th scope=\"row\">conv1</th><td>regression</td><td>0.5</td><td>0.125"));
  EXPECT_TRUE(contains(html, "<th scope=\"row\">pruning</th><td>89.50 %</td><td>−1.50</td>"))
      << html;
  EXPECT_TRUE(contains(html, "<td>16</td><td>9</td><td>1.25 %</td>"));
  // The class that fell most comes first; one without examples is left out.
  EXPECT_LT(html.find("<th scope=\"row\">1</th><td>92.00 %</td><td>88.00 %</td><td>−4.00</td>"),
            html.find("<th scope=\"row\">0</th><td>90.00 %</td><td>91.00 %</td><td>+1.00</td>"));
  EXPECT_TRUE(contains(html, "the timed runs had one for 97 % of the time"));
}

TEST(HtmlReport, NeedsNothingFromElsewhere) {
  const auto html = html_report({full_run(), full_run()});
  for (const auto* const part : {"<script", "http", "src=", "url(", "@import", "<link"}) {
    EXPECT_FALSE(contains(html, part)) << part;
  }
}

TEST(HtmlReport, LeavesOutWhatThereIsNot) {
  RecordedRun run;
  run.record = {{"schema", 1},        {"actswap", "0.1.0"}, {"output", "relu.pt"},
                {"sites_swapped", 1}, {"verified", false},  {"reason", "no input is known"}};
  const auto html = html_report({run});
  expect_well_formed(html);
  EXPECT_EQ(headings(html), std::vector<std::string>(
                                {"Verdict", "What was verified", "How to repeat it", "Glossary"}));
  EXPECT_TRUE(contains(html, "is not verified: no input is known"));
}

TEST(HtmlReport, SaysHowTheRunStands) {
  auto run = full_run();
  run.record["status"] = "failed";
  run.record["status_reason"] = "The disk <sda> is full";
  EXPECT_TRUE(contains(html_report({run}), "This run failed: The disk &lt;sda&gt; is full."));
  EXPECT_FALSE(contains(html_report({run}), "file was verified"));
  run.record["status"] = "done";
  EXPECT_TRUE(contains(html_report({run}), "The exported file was verified"));
}

TEST(HtmlReport, ShowsWarnings) {
  auto run = full_run();
  EXPECT_FALSE(contains(html_report({run}), "Warning:"));
  run.record["warnings"] = {"training data: the inputs <are> not scaled", 7};
  EXPECT_TRUE(contains(html_report({run}), "Warning: training data: the inputs &lt;are&gt; not"));
  expect_well_formed(html_report({run}));
}

TEST(HtmlReport, ADoubtfulLatencyIsNoVerdict) {
  auto run = full_run();
  run.record["latency"]["exported"]["doubt"] = "other programs kept the processors busy";
  const auto html = html_report({run});
  EXPECT_TRUE(contains(html, "its latency is uncertain (other programs kept the processors busy)"));
  EXPECT_FALSE(contains(html, "a forward takes"));
  run = full_run();
  run.record["latency"]["exported"]["ratio_interval"] = {0.95, 1.05};
  EXPECT_TRUE(contains(html_report({run}), "no difference in latency is seen (0.95 to 1.05"));
}

TEST(HtmlReport, SetsRunsSideBySide) {
  auto other = full_run();
  other.record["output"] = "out/hard_mish.pt";
  other.record["retargeted"] = 89.75;
  const auto html = html_report({full_run(), other});
  expect_well_formed(html);
  EXPECT_TRUE(contains(html, "<th scope=\"col\">relu.pt</th><th scope=\"col\">hard_mish.pt</th>"));
  EXPECT_TRUE(contains(html, "<th scope=\"row\">exported</th><td>90.50 %</td><td>89.75 %</td>"));
  EXPECT_TRUE(contains(html, "<h3>hard_mish.pt</h3>"));
}

// Names and paths come from strangers' models, numbers from other versions.
TEST(HtmlReport, TextStaysText) {
  const std::string evil = "\"><script>alert('x')</script>&<img src=x>\x01";
  auto run = full_run();
  for (auto& site : run.record["sites"]) {
    for (const auto* const key : {"id", "activation", "target", "reason"}) {
      site[key] = evil;
    }
  }
  run.record["calibration"]["layers"][0]["name"] = evil;
  run.record["latency"]["exported"]["doubt"] = evil;
  run.record["machine"]["processor"] = evil;
  for (const auto* const key : {"output", "recipe", "metric", "verified_on", "self_test", "status",
                                "actswap", "libtorch", "reason"}) {
    run.record[key] = evil;
  }
  run.record["model"] = {{"path", evil}, {"sha256", evil}};
  run.folder = evil;
  run.configuration = evil;
  for (const auto& runs : {std::vector{run}, std::vector{run, run}}) {
    const auto html = html_report(runs);
    EXPECT_FALSE(contains(html, "<script"));
    EXPECT_FALSE(contains(html, "<img"));
    EXPECT_FALSE(contains(html, "\x01"));
    EXPECT_TRUE(contains(html, "&quot;&gt;&lt;script&gt;"));
    expect_well_formed(html);
  }
}

// Each value in turn is replaced by one of every other type, and by extreme numbers.
TEST(HtmlReport, AnyRecordGivesAPage) {
  const auto whole = full_run().record.flatten();
  const std::vector<Json> others = {nullptr,        true,           -1,     1e308,
                                    -1e308,         5e-324,         "text", Json::array(),
                                    Json::object(), {1e308, -1e308}};
  for (const auto& [path, value] : whole.items()) {
    for (const auto& other : others) {
      auto run = full_run();
      run.record[Json::json_pointer(path)] = other;
      const auto html = html_report({run});
      EXPECT_FALSE(contains(html, "nan")) << path << " " << other;
    }
  }
  const auto record = full_run().record;
  for (const auto& [key, value] : record.items()) {
    for (const auto& other : others) {
      auto run = full_run();
      run.record[key] = other;
      expect_well_formed(html_report({run}));
    }
  }
}

TEST(HtmlReport, ManySitesAndStepsStaySmall) {
  auto run = full_run();
  const auto site = run.record["sites"][0];
  run.record["sites"] = Json::array();
  for (int i = 0; i < 500; ++i) {
    run.record["sites"].push_back(site);
    run.record["sites"].back()["error"]["exported"] = i;
  }
  run.record["epochs"] = Json::array();
  for (int i = 1; i <= 20000; ++i) {
    run.record["epochs"].push_back({{"step", i}, {"loss", 1.0 / i}, {"t", 1.0}});
  }
  const auto html = html_report({run});
  EXPECT_LT(html.size(), 600'000U);
  EXPECT_TRUE(contains(html, "error 0.25 → 499"));
  EXPECT_FALSE(contains(html, "error 0.25 → 400<"));
}

class RecordedRuns : public ::testing::Test {
 protected:
  void SetUp() override {
    auto pattern = (std::filesystem::temp_directory_path() / "actswap_XXXXXX").string();
    folder_ = ::mkdtemp(pattern.data());
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  void write(const std::string& name, const std::string& text) const {
    std::ofstream(folder_ / name) << text;
  }
  std::string error() const {
    try {
      read_run(folder_.string());
    } catch (const FileError& error) {
      return error.what();
    }
    return "";
  }
  std::filesystem::path folder_;
};

TEST_F(RecordedRuns, AreReadFromTheirFolderOrTheirRecord) {
  write("run.json", "{\"schema\": 1, \"output\": \"relu.pt\"}");
  write("metrics.jsonl", "{\"step\": 1}\n{\"step\": 2}\n{\"ste");
  write("config.toml", "to = \"\xff\"\n");
  for (const auto& path : {folder_, folder_ / "run.json"}) {
    const auto run = read_run(path.string());
    EXPECT_EQ(run.folder, folder_.string());
    EXPECT_EQ(run.record["output"], "relu.pt");
    EXPECT_EQ(run.metrics.size(), 2U);
    EXPECT_EQ(run.configuration, "to = \"\xEF\xBF\xBD\"\n");
  }
  write_report(read_run(folder_.string()));
  EXPECT_TRUE(std::filesystem::exists(folder_ / "report.html"));
}

TEST_F(RecordedRuns, SaysWhatIsWrong) {
  EXPECT_TRUE(contains(error(), "run.json' is no file")) << error();
  write("run.json", "no JSON");
  EXPECT_TRUE(contains(error(), "Expected a JSON object in '")) << error();
  write("run.json", "{\"schema\": 2}");
  EXPECT_TRUE(contains(error(), "but got 2")) << error();
  write("run.json", "{\"schema\": 1}");
  write("metrics.jsonl", "{\"step\": 1}\n[]\n");
  EXPECT_TRUE(contains(error(), "line 2 of '")) << error();
}

}  // namespace
}  // namespace actswap
