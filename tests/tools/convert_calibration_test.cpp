// actswap convert: calibration, the choices that follow from the data, and recipes.
#include "convert.h"

#include <nlohmann/json.hpp>

namespace tool_test {
namespace {

using Json = nlohmann::json;

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

}  // namespace
}  // namespace tool_test
