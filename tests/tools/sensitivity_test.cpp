// actswap sensitivity, beside eager PyTorch with one activation module replaced.
#include "scratch.h"

#include <nlohmann/json.hpp>

#include <cstdio>

namespace tool_test {
namespace {

using Json = nlohmann::json;

class Sensitivity : public InScratch {
 protected:
  /// Images with the classes of balanced_model, every fourth with another one.
  void write_data() const {
    const auto [images, classes] = images_with_classes(64);
    const auto wrong = torch::arange(0, 64, 4);
    classes.index_put_({wrong}, (classes.index({wrong}) + 1) % 4);
    write_tensors(path("data.pt"), {{"x", images}, {"y", classes}});
    write_tensors(path("unlabelled.pt"), {{"x", images}});
    balanced_model().save(path("model.pt"));
  }

  /// Both sum float32 outputs, which round otherwise in eager mode.
  static void expect_close(double found, double wanted) {
    EXPECT_NEAR(found, wanted, 1e-5 * std::max(wanted, 1.0));
  }

  Json in_eager_pytorch() const {
    const auto command = std::string(ACTSWAP_PYTHON) + " " + ACTSWAP_SOURCE_DIR +
                         "/tests/sensitivity.py " + path("model.pt") + " " + path("data.pt") +
                         " > " + path("eager.json");
    EXPECT_EQ(std::system(command.c_str()), 0);
    return Json::parse(read_file(path("eager.json")));
  }
};

TEST_F(Sensitivity, IsWhatEagerPytorchGives) {
  write_data();
  const auto eager = in_eager_pytorch();
  const auto outcome =
      run_here({"sensitivity", "model.pt", "--val", "data.pt", "--batch", "20", "--json"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  const auto json = Json::parse(outcome.out);
  EXPECT_EQ(json.at("schema"), 1);
  EXPECT_EQ(json.at("model").at("path"), "model.pt");
  EXPECT_EQ(json.at("measure"), "accuracy");
  EXPECT_EQ(json.at("examples"), 64);
  EXPECT_EQ(json.at("calibrated"), false);
  EXPECT_EQ(json.at("original"), 75.0);
  EXPECT_NEAR(json.at("all_swapped"), eager.at("all").at("accuracy"), 1e-4);
  EXPECT_GT(json.at("latency_ms"), 0.0);
  double sum = 0.0;
  ASSERT_EQ(json.at("sites").size(), 3U);
  for (const auto& site : json.at("sites")) {
    const auto& wanted = eager.at(site.at("id").get<std::string>());
    EXPECT_NEAR(site.at("value"), wanted.at("accuracy"), 1e-4);
    EXPECT_NEAR(site.at("loss"), 75.0 - wanted.at("accuracy").get<double>(), 1e-4);
    EXPECT_NEAR(site.at("mean_loss_increase"),
                wanted.at("cross_entropy").get<double>() -
                    eager.at("original").at("cross_entropy").get<double>(),
                1e-5);
    expect_close(site.at("relative_error"), wanted.at("relative_error"));
    EXPECT_NEAR(site.at("same_prediction"), wanted.at("same_prediction"), 1e-4);
    EXPECT_EQ(site.at("source"), "mish");
    EXPECT_EQ(site.at("target"), "relu");
    EXPECT_EQ(site.at("calls"), 1);
    EXPECT_EQ(site.at("shape"), Json({8, 8, 8, 8}));
    sum += std::max(site.at("loss").get<double>(), 0.0);
  }
  EXPECT_NEAR(json.at("sum_of_losses"), sum, 1e-9);
}

TEST_F(Sensitivity, WithoutLabelsAndAsATable) {
  write_data();
  const auto eager = in_eager_pytorch();
  const auto outcomes = run_all(
      {{"sensitivity", "model.pt", "--val", "unlabelled.pt", "--json", "--input", "2x3x16x16"},
       {"sensitivity", "model.pt", "--val", "data.pt", "--keep", "stem.*", "--calibrate",
        "unlabelled.pt", "--calibrate-inputs", "32", "-q"}});
  ASSERT_EQ(outcomes[0].code, 0) << outcomes[0].err;
  const auto json = Json::parse(outcomes[0].out);
  EXPECT_EQ(json.at("measure"), "relative_error");
  double last = 0.0;
  for (const auto& site : json.at("sites")) {
    const auto& wanted = eager.at(site.at("id").get<std::string>());
    expect_close(site.at("loss"), wanted.at("relative_error"));
    EXPECT_EQ(site.at("shape"), Json({2, 8, 16, 16}));
    // The best swap comes first.
    EXPECT_TRUE(last == 0.0 || site.at("gain_per_loss") <= last);
    last = site.at("gain_per_loss");
  }
  ASSERT_EQ(outcomes[1].code, 0) << outcomes[1].err;
  EXPECT_EQ(outcomes[1].err, "");
  const auto lines = lines_of(outcomes[1].out);
  ASSERT_EQ(lines.size(), 5U) << outcomes[1].out;
  EXPECT_TRUE(contains(lines[0],
                       "model.pt: accuracy 75.00 % on 64 examples; all 2 sites swapped "
                       "and calibrated: "));
  EXPECT_TRUE(contains(lines[2], "site "));
  EXPECT_TRUE(contains(lines[3], " mish "));
}

TEST_F(Sensitivity, MistakesAreNamed) {
  write_data();
  const auto outcomes =
      run_all({{"sensitivity", "model.pt"},
               {"sensitivity", "model.pt", "--val", "none.pt"},
               {"sensitivity", "model.pt", "--val", "data.pt", "--keep", "*"},
               {"sensitivity", "model.pt", "--val", "data.pt", "--batch", "0"},
               {"sensitivity", "model.pt", "--val", "data.pt", "--calibrate", "unlabelled.pt",
                "--calibrate-batch", "0"},
               {"sensitivity", "model.pt", "--val", "data.pt", "--input", "2x4x8x8"}});
  expect_failure(outcomes[0], 2, {"--val"});
  expect_failure(outcomes[1], 3, {"none.pt"});
  expect_failure(outcomes[2], 2, {"kept by --keep"});
  expect_failure(outcomes[3], 2, {"batch"});
  expect_failure(outcomes[4], 2, {"--calibrate-batch", "got '0'"});
  expect_failure(outcomes[5], 2, {"[2, 4, 8, 8]"});
}

TEST_F(Sensitivity, APlanByItKeepsWhatLosesTooMuch) {
  write_data();
  const auto outcomes =
      run_all({{"sensitivity", "model.pt", "--val", "data.pt", "--json"},
               {"convert", "model.pt", "-o", "a.pt", "--val", "data.pt", "--max-drop", "100",
                "--plan-by-sensitivity", "--json"},
               {"convert", "model.pt", "-o", "b.pt", "--val", "data.pt", "--max-drop", "0",
                "--plan-by-sensitivity"},
               {"convert", "model.pt", "-o", "c.pt", "--val", "data.pt", "--budget-ms", "0.000001"},
               {"convert", "model.pt", "-o", "d.pt", "--val", "data.pt", "--plan-by-sensitivity"}});
  const auto sensitivity = Json::parse(outcomes[0].out);
  ASSERT_EQ(outcomes[1].code, 0) << outcomes[1].err;
  const auto run = Json::parse(outcomes[1].out);
  double sum = 0.0;
  std::size_t swapped = 0;
  for (const auto& site : run.at("sites")) {
    for (const auto& measured : sensitivity.at("sites")) {
      if (measured.at("id") == site.at("id") && site.at("selected") == true) {
        sum += std::max(measured.at("loss").get<double>(), 0.0);
        ++swapped;
      }
    }
    if (site.at("selected") == false) {
      EXPECT_EQ(site.at("reason").get<std::string>().rfind("kept: its swap alone loses ", 0), 0U);
      EXPECT_TRUE(contains(outcomes[1].err, site.at("id").get<std::string>() + " kept: "));
    }
  }
  EXPECT_GT(swapped, 0U);
  EXPECT_EQ(run.at("sites_swapped"), swapped);
  EXPECT_NEAR(run.at("predicted").at("drop"), sum, 1e-9);
  EXPECT_LE(sum, 100.0);
  EXPECT_EQ(run.at("sensitivity").at("sites").size(), 3U);
  expect_failure(outcomes[2], 5, {"No site can be swapped within a drop of 0"});
  expect_failure(outcomes[3], 2, {"budget", "all 3 sites"});
  expect_failure(outcomes[4], 2, {"--max-drop"});
}

TEST_F(Sensitivity, EndsWhereItIsInterrupted) {
  torch::manual_seed(1);
  write_tensors(path("data.pt"), {{"x", torch::randn({20000, 3, 8, 8})}});
  auto options = here();
  options.columns = 100;
  options.seconds = 30.0;
  Process process(
      {"sensitivity", model_file("scripted_module.pt"), "--val", "data.pt", "--batch", "2"},
      options);
  ASSERT_TRUE(process.wait_for("sensitivity ["));
  process.send(SIGINT);
  const auto outcome = process.finish();
  EXPECT_EQ(outcome.code, 130) << outcome.err;
  EXPECT_EQ(outcome.out, "");
}

}  // namespace
}  // namespace tool_test
