// actswap convert: training, and what it prints and writes.
#include "convert.h"

#include <actswap/data/load.h>
#include <actswap/pipeline/convert.h>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <cstdlib>

namespace tool_test {
namespace {

using Json = nlohmann::json;

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
  EXPECT_TRUE(contains(message({"--lr", "fast"}),
                       "Expected as learning rate search, calibrated, auto, a number above 0 or "
                       "one like 0.001rms, but got 'fast'"));
  EXPECT_TRUE(contains(message({"--loss", "layers", "--batch-norm", "batch"}),
                       "Expected batch norms to keep their statistics"));
  EXPECT_TRUE(contains(message({"--lr", "-1"}), "0.001rms, but got '-1'"));
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
