// actswap convert: plain swap, training, gate, and what it prints and writes.
#include "scratch.h"

#include <actswap/data/load.h>
#include <actswap/graph/sites.h>
#include <actswap/pipeline/convert.h>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <map>
#include <regex>

namespace tool_test {
namespace {

using Json = nlohmann::json;

class Convert : public InScratch {
 protected:
  std::string model_ = model_file("scripted_module.pt");

  /// The activation of each site of an exported file.
  std::map<std::string, std::string> activations_in(const std::string& name) const {
    std::map<std::string, std::string> found;
    for (const auto& site : actswap::find_sites(actswap::load(path(name)))) {
      found[site.id] = site.activation.to_string();
    }
    return found;
  }
};

// "label   value" lines, in their order.
std::vector<std::pair<std::string, std::string>> table_of(const std::string& text) {
  std::vector<std::pair<std::string, std::string>> rows;
  for (const auto& line : lines_of(text)) {
    std::smatch parts;
    if (std::regex_match(line, parts, std::regex("(.*?\\S)  +(\\S.*)"))) {
      rows.emplace_back(parts[1], parts[2]);
    } else {
      ADD_FAILURE() << "not a line of the table: " << line;
    }
  }
  return rows;
}

Words labels_of(const std::vector<std::pair<std::string, std::string>>& rows) {
  Words labels;
  for (const auto& [label, value] : rows) {
    labels.push_back(label);
  }
  return labels;
}

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

TEST_F(Convert, SeveralSeedsGiveAnInterval) {
  balanced_model().save(path("model.pt"));
  write_images("data.pt", 48);
  const Words words = {"convert",  "model.pt", "-o",      "a.pt",    "--train",
                       "data.pt",  "--val",    "data.pt", "--batch", "16",
                       "--recipe", "hard",     "--seed",  "3",       "--control"};
  auto three = words;
  three.insert(three.end(), {"--seeds", "3", "--json"});
  const auto outcome = run_here(three);
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  const auto json = Json::parse(outcome.out);
  ASSERT_EQ(json.at("seeds").size(), 3U);
  double sum = 0.0;
  for (std::size_t i = 0; i < 3; ++i) {
    const auto& seed = json.at("seeds")[i];
    EXPECT_EQ(seed.at("seed"), 3 + i);
    sum += seed.at("retargeted").at("value").get<double>() -
           seed.at("control").at("value").get<double>();
    EXPECT_TRUE(contains(outcome.err, "retarget, seed " + std::to_string(3 + i) + ": epoch 1,"));
    EXPECT_TRUE(contains(outcome.err, "control, seed " + std::to_string(3 + i) + ": epoch 1,"));
  }
  EXPECT_EQ(json.at("seeds")[0].at("retargeted").at("value"), json.at("retargeted"));
  const auto& over_seeds = json.at("comparisons").at("control").at("seeds");
  EXPECT_NEAR(over_seeds.at("difference"), sum / 3.0, 1e-9);
  EXPECT_EQ(over_seeds.at("count"), 3);
  auto none = words;
  none.insert(none.end(), {"--seeds", "0"});
  expect_failure(run_here(none), 2, {"seeds"});
}

TEST_F(Convert, SweepsTheRateAndKeepsTheBest) {
  balanced_model().save(path("model.pt"));
  write_images("data.pt", 48);
  const Words words = {"convert",
                       "model.pt",
                       "-o",
                       "one.pt",
                       "--train",
                       "data.pt",
                       "--val",
                       "data.pt",
                       "--epochs",
                       "4",
                       "--batch",
                       "16",
                       "--lr",
                       "auto",
                       "--keep-best",
                       "--average",
                       "0.9",
                       "--loss",
                       "distil+0.5*sites",
                       "--order",
                       "forward",
                       "--bound",
                       "50",
                       "--ramp-end",
                       "1",
                       "--blend-code",
                       "stock",
                       "--json"};
  const auto outcome = run_here(words);
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_TRUE(contains(outcome.err, "chosen: ")) << outcome.err;
  const auto json = Json::parse(outcome.out);
  const auto& training = json.at("training");
  EXPECT_EQ(training.at("loss"), "distil+0.5*sites");
  EXPECT_EQ(training.at("learning_rate"), training.at("rate_sweep").at("chosen"));
  EXPECT_EQ(training.at("site_order").size(), 3U);
  EXPECT_EQ(training.at("keep"), "best");
  double best = -1.0;
  for (const auto& epoch : json.at("epochs")) {
    for (const auto& check : epoch.at("checks")) {
      best = check.at("t") == 1.0 ? std::max(best, check.at("value").get<double>()) : best;
    }
  }
  EXPECT_EQ(json.at("retargeted"), best);

  const auto message = [&](Words change) {
    Words all = {"convert", "model.pt", "-o", "two.pt", "--train", "data.pt"};
    all.insert(all.end(), change.begin(), change.end());
    const auto refused = run_here(all);
    EXPECT_EQ(refused.code, 2) << refused.err;
    return refused.err;
  };
  EXPECT_TRUE(contains(
      message({"--lr", "fast"}),
      "Expected as learning rate search, calibrated, auto or a number above 0, but got 'fast'"));
  EXPECT_TRUE(contains(message({"--loss", "layers", "--batch-norm", "batch"}),
                       "Expected batch norms to keep their statistics"));
  EXPECT_TRUE(contains(message({"--lr", "-1"}), "a number above 0, but got '-1'"));
  EXPECT_TRUE(contains(message({"--loss", "distil+dark"}), "Unknown loss 'dark'"));
  EXPECT_TRUE(contains(message({"--keep-best"}), "has no effect without validation data"));
  EXPECT_TRUE(contains(message({"--order", "random"}), "but got 'random'"));
  EXPECT_TRUE(contains(message({"--average", "1"}),
                       "--average: expected 0 or more and below 1, but got '1'"));
}

TEST_F(Convert, ATrainedRunGivesFiguresAndARecord) {
  balanced_model().save(path("model.pt"));
  write_images("data.pt", 48);
  const auto json_run =
      run_here({"convert", "model.pt", "-o", "one.pt", "--train", "data.pt", "--val", "data.pt",
                "--epochs", "2", "--batch", "16", "--seed", "3", "--control", "--json"});
  ASSERT_EQ(json_run.code, 0) << json_run.err;
  const auto json = Json::parse(json_run.out);
  EXPECT_EQ(json.at("sites_swapped"), 3);
  EXPECT_EQ(json.at("verified"), true);
  EXPECT_EQ(json.at("trained"), true);
  EXPECT_EQ(json.at("metric"), "accuracy");
  EXPECT_EQ(json.at("original"), 100.0);
  for (const char* key : {"swap_alone", "calibrated", "retargeted", "control"}) {
    EXPECT_GE(json.at(key), 0.0) << key;
    EXPECT_LE(json.at(key), 100.0) << key;
    EXPECT_EQ(json.at("evaluations").at(key).at("examples"), 48) << key;
  }
  EXPECT_EQ(json.at("run_dir"), "one.pt.run");
  EXPECT_EQ(json.at("training").at("epochs"), 2.0);
  EXPECT_EQ(json.at("training").at("seed"), 3);
  EXPECT_EQ(json.at("training").at("loss"), "distil+3*layers+0.02*cross-entropy");
  EXPECT_GT(json.at("calibration").at("learning_rate"), 0.0);
  EXPECT_NEAR(json.at("training").at("learning_rate"),
              std::max(3e-4, json.at("calibration").at("learning_rate").get<double>()) *
                  std::sqrt(6.0 / 400.0),
              1e-9);
  EXPECT_EQ(json.at("training").at("schedule"), "t = 1 from the start");
  EXPECT_EQ(json.at("calibration").at("inputs"), 48);
  EXPECT_EQ(json.at("calibration").at("sites").size(), 3U);
  EXPECT_EQ(json.at("calibration").at("layers").size(), 3U);
  for (const char* key : {"epochs", "control_epochs"}) {
    const auto& epochs = json.at(key);
    ASSERT_EQ(epochs.size(), 2U) << key;
    EXPECT_EQ(epochs[0].at("step"), 3) << key;
    EXPECT_EQ(epochs[1].at("step"), 6) << key;
    EXPECT_EQ(epochs[1].at("t"), 1.0) << key;
  }
  EXPECT_EQ(files(), (Words{"data.pt", "model.pt", "one.pt", "one.pt.run/config.toml",
                            "one.pt.run/events.out.tfevents.actswap", "one.pt.run/metrics.jsonl",
                            "one.pt.run/report.html", "one.pt.run/run.json"}));
  EXPECT_EQ(Json::parse(read_file(path("one.pt.run/run.json"))), json);

  for (const char* key : {"original", "control"}) {
    const auto& examples = json.at("comparisons").at(key).at("examples");
    EXPECT_EQ(examples.at("count"), 48);
    EXPECT_NEAR(examples.at("difference"),
                json.at("retargeted").get<double>() - json.at(key).get<double>(), 1e-4);
    EXPECT_GE(examples.at("half_width"), 0.0);
  }
  // The original's classes are the labels.
  EXPECT_NEAR(json.at("agreement").at("retargeted").at("same_prediction"), json.at("retargeted"),
              1e-4);

  // Once more for people; the same seed gives the same weights.
  const auto table_run =
      run_here({"convert", "model.pt", "-o", "two.pt", "--train", "data.pt", "--val", "data.pt",
                "--epochs", "2", "--batch", "16", "--seed", "3", "--control", "--run-dir", "run"});
  ASSERT_EQ(table_run.code, 0) << table_run.err;
  const auto rows = table_of(table_run.out);
  Words labels = {"sites swapped",
                  "parameters",
                  "recipe",
                  "accuracy, original",
                  "accuracy, after the swap alone",
                  "accuracy, after calibration",
                  "accuracy, after training",
                  "accuracy, control (original trained on)",
                  "against the original",
                  "against the control",
                  "largest fall in a class",
                  "the same against the control",
                  "same prediction as the original",
                  "latency, original",
                  "latency, exported",
                  "latency, ratio",
                  "verified on",
                  "verified",
                  "self-test",
                  "written"};
  // Six steps on noise may do harm.
  if (json.at("training").at("effect").at("kept_share").get<double>() < 1.0) {
    labels.insert(labels.begin() + 8, "training");
  }
  ASSERT_EQ(labels_of(rows), labels);
  EXPECT_EQ(rows[2].second,
            "calibrated, trained on distil+3*layers+0.02*cross-entropy, 2 epochs, learning rate by "
            "the calibration, t = 1 from the start");
  EXPECT_EQ(rows[3].second, "100.00 %");
  char wanted[32];
  std::snprintf(wanted, sizeof wanted, "%.2f %%", json.at("retargeted").get<double>());
  EXPECT_EQ(rows[6].second, wanted);
  const auto& fall = rows[rows.size() - 9].second;
  EXPECT_TRUE(std::regex_match(fall, std::regex("class [0-3]: [0-9.]+ -> [0-9.]+ %"))) << fall;
  EXPECT_TRUE(std::filesystem::exists(path("run/run.json")));
  EXPECT_FALSE(std::filesystem::exists(path("two.pt.run")));
  const auto one = actswap::distinct_parameters(actswap::load(path("one.pt")).module);
  const auto two = actswap::distinct_parameters(actswap::load(path("two.pt")).module);
  const auto before = actswap::distinct_parameters(actswap::load(path("model.pt")).module);
  ASSERT_EQ(one.size(), two.size());
  bool moved = false;
  for (std::size_t i = 0; i < one.size(); ++i) {
    EXPECT_TRUE(torch::equal(one[i], two[i])) << i;
    moved = moved || !torch::equal(one[i], before[i]);
  }
  EXPECT_TRUE(moved) << "training changed nothing";

  // Without a terminal: one line an epoch, no control characters.
  for (const char* phase : {"info: retarget: epoch ", "info: control: epoch "}) {
    const auto lines = lines_with(table_run.err, phase);
    ASSERT_EQ(lines.size(), 2U) << table_run.err;
    EXPECT_TRUE(std::regex_match(
        lines[1], std::regex(std::string(phase) + "2, step 6, t 1\\.000, loss [0-9.]+, [0-9.]+ s")))
        << lines[1];
  }
  EXPECT_EQ(table_run.err.find_first_of("\r\033"), std::string::npos) << table_run.err;
}

// The command decides nothing: a program that asks for no more gets the same model.
TEST_F(Convert, AProgramGetsTheSameModel) {
  balanced_model().save(path("model.pt"));
  write_images("data.pt", 48);
  torch::set_num_threads(1);  // as the command has it here
  const auto model = actswap::load(path("model.pt"));
  const auto data = actswap::load_data(path("data.pt"), actswap::argument_names(model.module));
  struct Case {
    Words options;
    actswap::ConvertRequest request;
  };
  const Case cases[] = {
      {{"--train", "data.pt"}, {.train_data = data}},
      {{"--calibrate", "data.pt"}, {.calibration_data = data}},
      {{"--train", "data.pt", "--curve", "cosine", "--epochs", "2", "--batch", "16"},
       {.train_data = data,
        .train = {.epochs = 2.0, .batch_size = 16},
        .ramp = {.curve = actswap::Curve::cosine}}}};
  for (auto [options, request] : cases) {
    SCOPED_TRACE(::testing::PrintToString(options));
    Words words = {"convert", "model.pt", "-o", "command.pt"};
    words.insert(words.end(), options.begin(), options.end());
    const auto outcome = run_here(words);
    ASSERT_EQ(outcome.code, 0) << outcome.err;
    request.output = path("program.pt");
    actswap::convert(model, actswap::plan(model, {}), request);
    const auto ours = actswap::distinct_parameters(actswap::load(path("command.pt")).module);
    const auto theirs = actswap::distinct_parameters(actswap::load(path("program.pt")).module);
    const auto before = actswap::distinct_parameters(model.module);
    ASSERT_EQ(ours.size(), theirs.size());
    bool has_moved = false;
    for (std::size_t i = 0; i < ours.size(); ++i) {
      EXPECT_TRUE(torch::equal(ours[i], theirs[i])) << i;
      has_moved = has_moved || !torch::equal(ours[i], before[i]);
    }
    EXPECT_TRUE(has_moved);
  }
  EXPECT_TRUE(std::filesystem::exists(path("program.pt.run/run.json")));
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
  expect_failure(outcomes[0], 3, {"--run-dir", "file/run", "is no folder"});
  expect_failure(outcomes[1], 2, {"--run-dir", "out.pt"});
  for (const auto& outcome : outcomes) {
    EXPECT_EQ(outcome.err.find("calibrat"), std::string::npos) << outcome.err;
  }
  EXPECT_EQ(files(), (Words{"data.pt", "file"}));
}

// Of the two batches of eight one is held out.
TEST_F(Convert, PassesDrawOtherInputsWhereATrainingFollows) {
  balanced_model().save(path("model.pt"));
  write_images("data.pt", 48);
  const auto inputs_of_passes = [&](Words more) {
    Words words = {"convert", "model.pt",          "-o",      "out.pt",
                   "--json",  "--calibrate",       "data.pt", "--calibrate-inputs",
                   "16",      "--calibrate-batch", "8"};
    words.insert(words.end(), more.begin(), more.end());
    const auto outcome = run_here(words);
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    return Json::parse(outcome.out).at("calibration").at("joint").at("inputs").get<int>();
  };
  EXPECT_EQ(inputs_of_passes({}), 8);
  EXPECT_EQ(inputs_of_passes({"--calibrate-draw", "each-pass"}), 40) << "all but those held out";
  EXPECT_EQ(inputs_of_passes({"--train", "data.pt"}), 40);
  EXPECT_EQ(inputs_of_passes({"--train", "data.pt", "--calibrate-draw", "once"}), 8);
}

TEST_F(Convert, MinutesBoundTheFitOfAllLayers) {
  balanced_model().save(path("model.pt"));
  write_images("data.pt", 48);
  const auto run_with = [&](Words more) {
    Words words = {"convert", "model.pt",          "-o", "out.pt", "--json", "--calibrate",
                   "data.pt", "--calibrate-batch", "8"};
    words.insert(words.end(), more.begin(), more.end());
    return run_here(words);
  };
  const auto joint_of = [&](const Outcome& outcome) {
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    return Json::parse(outcome.out).at("calibration").at("joint");
  };
  const auto without = joint_of(run_with({"--calibrate-minutes", "0"}));
  EXPECT_EQ(without.at("error_before"), 0.0);
  const auto outcome = run_with({"--calibrate-minutes", "0.2"});
  EXPECT_NE(outcome.err.find("fitting all layers together: at most "), std::string::npos)
      << outcome.err;
  const auto with = joint_of(outcome);
  EXPECT_GT(with.at("planned"), 0);
  EXPECT_LE(with.at("error_after"), with.at("error_before"));
  EXPECT_EQ(run_with({"--calibrate-minutes", "-1"}).code, 2);
  EXPECT_EQ(run_with({"--calibrate-minutes", "1", "--calibrate-passes", "2"}).code, 2);
}

TEST_F(Convert, ManyStepsOnLabelsLeaveTheLayersAndTheKeptStatistics) {
  balanced_model().save(path("model.pt"));
  write_images("data.pt", 48);
  const auto training_of = [&](const char* epochs, const char* loss) {
    const auto outcome = run_here({"convert", "model.pt", "-o", "out.pt", "--json", "--train",
                                   "data.pt", "--batch", "16", "--epochs", epochs, "--loss", loss});
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    return Json::parse(outcome.out).at("training");
  };
  const auto few = training_of("133", "auto");
  EXPECT_EQ(few.at("loss"), "distil+3*layers+cross-entropy");
  EXPECT_EQ(few.at("keeps_statistics"), true);
  const auto many = training_of("134", "auto");
  EXPECT_EQ(many.at("loss"), "distil+cross-entropy");
  EXPECT_EQ(many.at("keeps_statistics"), false);
  EXPECT_EQ(training_of("134", "distil").at("keeps_statistics"), true) << "no labels are learnt";
  EXPECT_EQ(training_of("134", "distil+layers").at("keeps_statistics"), true);
}

// Without labels, without training; what --recipe leaves out is left out.
TEST_F(Convert, Recipes) {
  balanced_model().save(path("model.pt"));
  write_images("data.pt", 48);
  const auto run_with = [&](Words more) {
    Words words = {"convert", "model.pt", "-o", "out.pt", "--to", "hard_mish", "--json"};
    words.insert(words.end(), more.begin(), more.end());
    const auto outcome = run_here(words);
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    return Json::parse(outcome.out);
  };
  const auto calibrated = run_with({"--calibrate", "data.pt", "--calibrate-inputs", "32"});
  EXPECT_EQ(calibrated.at("calibration").at("inputs"), 32);
  EXPECT_EQ(calibrated.at("calibration").at("joint").at("inputs"), 0) << "one batch: no joint fit";
  EXPECT_EQ(calibrated.at("trained"), false);
  EXPECT_EQ(calibrated.at("verified"), true);
  const Words training = {"--train", "data.pt", "--batch", "16", "--recipe"};
  const std::pair<const char*, const char*> schedules[] = {{"ramp", "linear from 0 to 0.3 epochs"},
                                                           {"hard", "t = 1 from the start"}};
  for (const auto& [recipe, schedule] : schedules) {
    auto words = training;
    words.push_back(recipe);
    const auto json = run_with(words);
    EXPECT_EQ(json.at("training").at("schedule"), schedule);
    EXPECT_FALSE(json.contains("calibration")) << recipe;
  }
  const auto both =
      run_with({"--train", "data.pt", "--batch", "16", "--recipe", "calibrated-ramp"});
  EXPECT_EQ(both.at("training").at("schedule"), "linear from 0 to 0.3 epochs");
  EXPECT_EQ(both.at("calibration").at("inputs"), 48);
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

TEST_F(Convert, FashionMnistFromIdxFiles) {
  const char* folder = std::getenv("ACTSWAP_FASHION_MNIST");
  const std::string data =
      std::string(folder != nullptr ? folder : "/usr/share/datasets/fashion-mnist") + "/t10k-";
  const auto pair = data + "images-idx3-ubyte.gz," + data + "labels-idx1-ubyte.gz";
  if (!std::filesystem::exists(data + "images-idx3-ubyte.gz")) {
    GTEST_SKIP() << "dataset-fashion-mnist is not installed";
  }
  const std::string model = ACTSWAP_SOURCE_DIR "/examples/fashion_mnist/model_mish.pt";
  const auto outcome =
      run_here({"convert", model, "-o", "out.pt", "--train", pair, "--val", pair, "--mean",
                "0.2860", "--deviation", "0.3530", "--limit", "256", "--lr", "0.001", "--json"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  const auto json = Json::parse(outcome.out);
  EXPECT_EQ(json.at("sites_swapped"), 9);
  EXPECT_EQ(json.at("evaluations").at("original").at("examples"), 256);
  EXPECT_GT(json.at("original"), 85.0);
  EXPECT_GT(json.at("original"), json.at("swap_alone"));
  EXPECT_EQ(json.at("epochs").at(0).at("step"), 4);
}

}  // namespace
}  // namespace tool_test
