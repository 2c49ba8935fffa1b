// actswap convert: a plain swap, what it refuses, and what it warns of.
#include "convert.h"

#include <nlohmann/json.hpp>

namespace tool_test {
namespace {

using Json = nlohmann::json;

TEST_F(Convert, APlainSwapNeedsNoDataAndSaysSo) {
  write_images("data.pt", 8);
  for (const Words& more : {Words{}, Words{"--epochs", "0", "--train", "data.pt"}}) {
    Words words = {"convert", model_, "-o", "out.pt"};
    words.insert(words.end(), more.begin(), more.end());
    const auto outcome = run_here(words);
    ASSERT_EQ(outcome.code, 0) << outcome.err;
    EXPECT_TRUE(contains(outcome.err, "plain swap"));
    EXPECT_EQ(outcome.err.find("epoch 1"), std::string::npos) << outcome.err;
    const auto rows = table_of(outcome.out);
    // What a guessed input takes says nothing: no latency.
    ASSERT_EQ(labels_of(rows), (Words{"sites swapped", "parameters", "verified on", "verified",
                                      "self-test", "written"}));
    EXPECT_EQ(rows[0].second, "3 of 3");
    EXPECT_EQ(rows[1].second, "1476");
    EXPECT_EQ(rows[3].second.rfind("yes, ", 0), 0U) << rows[3].second;
    EXPECT_EQ(rows[4].second, "random inputs");
    EXPECT_EQ(rows[5].second, "out.pt");
    EXPECT_EQ(files(), (Words{"data.pt", "out.pt"}));
    for (const auto& [site, activation] : activations_in("out.pt")) {
      EXPECT_EQ(activation, "relu") << site;
    }
    std::filesystem::remove(path("out.pt"));
  }
}

TEST_F(Convert, ADryRunShowsThePlanAndWritesNothing) {
  const auto model = model_file("scripted_module.pt");
  for (const char* subcommand : {"convert", "blend"}) {
    const Words command = {subcommand, model,      "-o",     "out.pt",
                           "--keep",   "cells.0*", "--site", "stem*=hard_mish",
                           "--dry-run"};
    const auto outcome = run_here(command);
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    // What inspect says of the same plan.
    const auto inspected =
        run_here({"inspect", model, "--keep", "cells.0*", "--site", "stem*=hard_mish"});
    EXPECT_EQ(outcome.out, inspected.out);
    EXPECT_TRUE(contains(outcome.out, "kept by --keep"));
    auto as_json = command;
    as_json.push_back("--json");
    const auto json = nlohmann::json::parse(run_here(as_json).out);
    EXPECT_EQ(json.at("sites").at(0).at("target"), "hard_mish");
  }
  expect_failure(run_here({"convert", model, "-o", "out.pt", "--keep", "*", "--dry-run"}), 2,
                 {"nothing to swap", "kept by --keep"});
  EXPECT_EQ(files(), Words{});
}

TEST_F(Convert, TimesBothOnAnInputThatIsGiven) {
  const auto outcome = run_here({"convert", model_, "-o", "out.pt", "--input", "2x3x8x8"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  const auto rows = table_of(outcome.out);
  ASSERT_EQ(labels_of(rows),
            (Words{"sites swapped", "parameters", "latency, original", "latency, exported",
                   "latency, ratio", "verified on", "verified", "self-test", "written"}));
  const std::regex time("[0-9.]+ ms \\([0-9.]+ to [0-9.]+\\), minimum [0-9.]+ ms");
  EXPECT_TRUE(std::regex_match(rows[2].second, time)) << rows[2].second;
  EXPECT_TRUE(std::regex_match(rows[3].second, time)) << rows[3].second;
  const std::regex ratio(
      "([0-9.]+|no clear difference|cannot be trusted) \\([0-9.]+ to [0-9.]+\\)(: .*)?");
  EXPECT_TRUE(std::regex_match(rows[4].second, ratio)) << rows[4].second;
}

TEST_F(Convert, EachSiteBecomesWhatThePlanSays) {
  const auto model = model_file("all_modules.pt");
  const auto outcome = run_here({"convert", model, "-o", "out.pt", "--keep", "body.3/*", "--site",
                                 "body.1/*=relu6", "--json"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  const auto json = Json::parse(outcome.out);
  EXPECT_EQ(json.at("schema"), 1);
  EXPECT_EQ(json.at("sites_swapped"), 6);
  EXPECT_EQ(json.at("parameters"), 15 * (6 * 6 + 6));
  EXPECT_EQ(json.at("verified"), true);
  EXPECT_LE(json.at("max_abs_diff"), 1e-4);
  EXPECT_LE(json.at("max_rel_diff"), 1e-5);
  EXPECT_EQ(json.at("trained"), false);
  EXPECT_EQ(json.at("output"), "out.pt");
  EXPECT_EQ(json.at("model").at("path"), model);
  EXPECT_EQ(json.at("metric"), nullptr);
  const auto& sites = json.at("sites");
  ASSERT_EQ(sites.size(), 15U);
  EXPECT_EQ(sites[0].at("target"), "relu6");
  EXPECT_EQ(sites[1].at("target"), nullptr);
  EXPECT_EQ(sites[2].at("target"), "relu");
  // Of a plain swap with no data there is no record beside the file.
  EXPECT_EQ(files(), Words{"out.pt"});
  auto found = activations_in("out.pt");
  EXPECT_EQ(found["body.1/forward/0"], "relu6");
  EXPECT_EQ(found["body.3/forward/0"], "silu");
  for (const int i : {5, 7, 9, 11, 13}) {
    EXPECT_EQ(found["body." + std::to_string(i) + "/forward/0"], "relu") << i;
  }
  EXPECT_EQ(found["body.15/forward/0"], "hardswish");
}

// All nn.Mish() of a scripted model are of one class, and share their code.
TEST_F(Convert, ModulesOfOneClassMayBecomeDifferent) {
  const auto outcome = run_here(
      {"convert", model_, "-o", "out.pt", "--keep", "cells.0*", "--site", "stem*=relu6", "--json"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  const auto json = Json::parse(outcome.out);
  EXPECT_EQ(json.at("sites_swapped"), 2);
  EXPECT_EQ(json.at("verified"), true);
  const auto found = activations_in("out.pt");
  const std::map<std::string, std::string> wanted = {{"stem.2/forward/0", "relu6"},
                                                     {"cells.0.act/forward/0", "mish"},
                                                     {"cells.1.act/forward/0", "relu"}};
  EXPECT_EQ(found, wanted);
}

// Found out before the calibration, not when the first record is written.
TEST_F(Convert, WhereTheRecordGoesIsChecked) {
  write_images("data.pt", 8);
  write("file", "no folder");
  const Words words = {"convert", model_, "-o", "out.pt", "--train", "data.pt", "--run-dir"};
  const auto with = [&](const std::string& folder) {
    auto all = words;
    all.push_back(folder);
    return all;
  };
  const auto outcomes = run_all({with("file/run"), with("out.pt")});
  expect_failure(outcomes[0], 3, {"--run-dir", "file/run", "is not a folder"});
  expect_failure(outcomes[1], 2, {"--run-dir", "out.pt"});
  for (const auto& outcome : outcomes) {
    EXPECT_EQ(outcome.err.find("calibrat"), std::string::npos) << outcome.err;
  }
  EXPECT_EQ(files(), (Words{"data.pt", "file"}));
}

TEST_F(Convert, TheGateKeepsABadModelFromBeingWritten) {
  balanced_model().save(path("model.pt"));
  write_images("data.pt", 256);
  write("out.pt", "what was there before");
  const Words words = {"convert", "model.pt", "-o",    "out.pt",
                       "--to",    "hardtanh", "--val", "data.pt"};
  auto strict = words;
  strict.insert(strict.end(), {"--max-drop", "0"});
  expect_failure(
      run_here(strict), 5,
      {"error: The accuracy fell by", "from 100", "0 allowed", "'out.pt'", "not written"});
  EXPECT_EQ(read_file(path("out.pt")), "what was there before");
  EXPECT_EQ(files(), (Words{"data.pt", "model.pt", "out.pt"}));
  auto lenient = words;
  lenient.insert(lenient.end(), {"--max-drop", "100", "--json"});
  const auto outcome = run_here(lenient);
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  const auto json = Json::parse(outcome.out);
  EXPECT_LT(json.at("retargeted"), 100.0);
  EXPECT_EQ(json.at("retargeted"), json.at("swap_alone"));
  for (const auto& [site, activation] : activations_in("out.pt")) {
    EXPECT_EQ(activation, "hardtanh") << site;
  }
}

TEST_F(Convert, WarnsOfWhatItCannotDo) {
  choosy_model().save(path("choosy.pt"));
  const auto unverified = run_here({"convert", "choosy.pt", "-o", "out.pt"});
  EXPECT_EQ(unverified.code, 0);
  ASSERT_EQ(lines_with(unverified.err, "warning: not verified").size(), 1U) << unverified.err;
  EXPECT_TRUE(contains(unverified.err, "--input"));
  EXPECT_TRUE(contains(unverified.out, "no: no probe inputs"));
  const auto verified = run_here({"convert", "choosy.pt", "-o", "out.pt", "--input", "5x7"});
  EXPECT_TRUE(lines_with(verified.err, "warning: ").empty()) << verified.err;

  torch::manual_seed(1);
  write_tensors(path("data.pt"), {{"x", torch::randn({8, 3, 8, 8})}});
  const auto traced = run_here({"convert", model_file("traced_train_free.pt"), "-o", "traced.pt",
                                "--train", "data.pt", "--batch", "4"});
  EXPECT_EQ(traced.code, 0) << traced.err;
  EXPECT_EQ(lines_with(traced.err, "warning: the mode of this model's batch norm").size(), 1U)
      << traced.err;
}

// What does not fit the training is the user's to put right: no trace, no "bug".
TEST_F(Convert, DataThatDoesNotFitTheTraining) {
  torch::manual_seed(1);
  const auto images = torch::randn({8, 3, 8, 8});
  write_tensors(path("unlabelled.pt"), {{"x", images}});
  write_tensors(path("narrow.pt"), {{"x", torch::randn({8, 5})}});
  write_tensors(path("classes.pt"), {{"x", images}, {"y", torch::arange(8)}});
  struct Case {
    const char* data;
    const char* loss;
    Words parts;
  };
  const Case cases[] = {
      {"unlabelled.pt", "cross-entropy", {"target"}},
      {"narrow.pt", "distil", {"[8, 5]"}},
      {"classes.pt", "cross-entropy", {"class"}},
  };
  for (const auto& [data, loss, parts] : cases) {
    SCOPED_TRACE(data);
    expect_failure(
        run_here({"convert", model_, "-o", "out.pt", "--train", data, "--loss", loss, "-q"}), 2,
        parts);
    EXPECT_FALSE(std::filesystem::exists(path("out.pt")));
  }
  expect_failure(run_here({"convert", model_file("frozen.pt"), "-o", "out.pt", "--train",
                           "unlabelled.pt", "-q"}),
                 2, {"frozen"});
}

}  // namespace
}  // namespace tool_test
