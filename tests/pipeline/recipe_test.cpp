// What a conversion does where the request leaves it open.
#include <actswap/base/error.h>
#include <actswap/pipeline/recipe.h>

#include <gtest/gtest.h>

#include "models.h"

namespace actswap {
namespace {

using Kind = LearningRate::Kind;

std::shared_ptr<Dataset> images(std::int64_t count, const torch::Tensor& target = {}) {
  torch::manual_seed(1);
  return std::make_shared<TensorDataset>(std::vector<torch::Tensor>{torch::randn({count, 3, 8, 8})},
                                         target);
}

struct RecipeSetting {
  ScratchFolder scratch;
  Model model = load(test_model("dropout_bn.pt"));
  ConvertRequest request;

  RecipeSetting() {
    request.output = scratch / "out.pt";
    request.train_data = images(64);
  }
  ConvertOptions options() const { return resolve(model, request); }
  std::string refusal() const {
    try {
      options();
    } catch (const UsageError& error) {
      return error.what();
    }
    return "it was accepted";
  }
};

TEST(Resolve, WithoutDataIsAPlainSwap) {
  RecipeSetting setting;
  setting.request.train_data = nullptr;
  const auto options = setting.options();
  EXPECT_FALSE(options.train_data);
  EXPECT_FALSE(options.calibration_data);
  EXPECT_EQ(options.run_directory, "");
  EXPECT_EQ(describe(options), "a plain swap");
}

TEST(Resolve, CalibratesOnTheTrainingDataAndTrainsAtTheEnd) {
  RecipeSetting setting;
  const auto options = setting.options();
  EXPECT_EQ(options.recipe, Recipe::calibrated);
  EXPECT_EQ(options.calibration_data, setting.request.train_data);
  EXPECT_EQ(options.run_directory, setting.request.output + ".run");
  EXPECT_EQ(options.learning_rate.kind, Kind::searched);
  EXPECT_TRUE(options.train.is_rate_relative);
  EXPECT_EQ(options.schedule.at(0.0), 1.0);
  EXPECT_TRUE(options.train.keeps_statistics);
  EXPECT_TRUE(options.calibration.draws_each_pass);
  EXPECT_EQ(to_string(options.train.loss), "outputs+3*layers") << "there are no labels";
  ASSERT_EQ(options.train.outputs.size(), 1U);
  EXPECT_EQ(describe(options),
            "calibrated, trained on outputs+3*layers, 1 epoch, learning rate by a line search, "
            "t = 1 from the start");
}

TEST(Resolve, WithoutLabelsTheBestCheckOnExamplesHeldOutIsKept) {
  RecipeSetting setting;
  auto options = setting.options();
  EXPECT_EQ(options.held_out, 8);
  EXPECT_TRUE(options.checks_held_out);
  EXPECT_EQ(options.train.keep, Keep::best);
  EXPECT_GT(options.train.check_every, 0.0);
  EXPECT_EQ(options.train.batch_size, 8);
  setting.request.validation_data = images(8);
  setting.request.train.patience = 3;
  options = setting.options();
  EXPECT_EQ(options.held_out, 8);
  EXPECT_FALSE(options.checks_held_out) << "checks are asked for";
  EXPECT_EQ(options.train.keep, Keep::last);
  const auto holds_nothing_out = [](const std::function<void(ConvertRequest&)>& change) {
    RecipeSetting other;
    change(other.request);
    const auto found = other.options();
    return found.held_out == 0 && !found.checks_held_out && found.train.keep == Keep::last &&
           found.learning_rate.kind != Kind::searched;
  };
  EXPECT_TRUE(holds_nothing_out([](auto& r) { r.train_data = images(64, torch::arange(64) % 2); }));
  EXPECT_TRUE(holds_nothing_out([](auto& r) { r.train_data = images(16); }));
  EXPECT_TRUE(holds_nothing_out([](auto& r) { r.recipe = Recipe::hard; }));
  EXPECT_TRUE(holds_nothing_out([](auto& r) { r.ramp.curve = Curve::linear; }));
}

TEST(Resolve, ASearchNeedsExamplesToHoldOut) {
  RecipeSetting setting;
  setting.request.train.learning_rate = LearningRate{Kind::searched};
  EXPECT_NO_THROW(setting.options());
  setting.request.train_data = images(64, torch::arange(64) % 2);
  EXPECT_NE(setting.refusal().find("Expected for --lr search"), std::string::npos)
      << setting.refusal();
}

// Before a calibration, which may take minutes.
TEST(Resolve, ALossThatDoesNotFitIsRefused) {
  RecipeSetting setting;
  setting.request.train.class_dim = 4;
  EXPECT_NE(setting.refusal().find("but the first, but got 4"), std::string::npos)
      << setting.refusal();
  setting.request.train.class_dim = {};
  setting.request.train.loss = Signal::cross_entropy;
  EXPECT_NE(setting.refusal().find("it has none"), std::string::npos) << setting.refusal();
  setting.request.train.loss = Signal::mse;
  setting.request.train_data = images(64, torch::randn({64, 7}));
  EXPECT_NE(setting.refusal().find("[8, 7]"), std::string::npos) << setting.refusal();
  setting.request.train.loss = parse_loss("module:" + (setting.scratch / "none.pt"));
  EXPECT_THROW(setting.options(), FileError);
}

TEST(Resolve, LearnsLabelsWhereThereAreClasses) {
  RecipeSetting setting;
  setting.request.train_data = images(64, torch::arange(64) % 2);
  EXPECT_EQ(to_string(setting.options().train.loss), "distil+3*layers+0.01*cross-entropy");
  setting.request.train.epochs = 400;
  EXPECT_EQ(to_string(setting.options().train.loss), "distil+cross-entropy");
  EXPECT_FALSE(setting.options().train.keeps_statistics);
  setting.request.train.keeps_statistics = true;
  EXPECT_EQ(to_string(setting.options().train.loss), "distil+3*layers+cross-entropy");
  setting.request.recipe = Recipe::hard;
  EXPECT_EQ(to_string(setting.options().train.loss), "distil+cross-entropy");
}

TEST(Resolve, ARampThatIsDescribedIsTaken) {
  RecipeSetting setting;
  setting.request.ramp.curve = Curve::cosine;
  setting.request.train.epochs = 2;
  auto options = setting.options();
  EXPECT_EQ(options.recipe, Recipe::ramp);
  EXPECT_FALSE(options.calibration_data);
  EXPECT_EQ(options.schedule.curve(), Curve::cosine);
  EXPECT_DOUBLE_EQ(options.schedule.options().end, 0.6);
  EXPECT_EQ(options.learning_rate.kind, Kind::fixed);
  EXPECT_EQ(options.train.learning_rate, 3e-4);
  EXPECT_FALSE(options.train.keeps_statistics);
  setting.request.ramp.begin = 1.5;
  EXPECT_DOUBLE_EQ(setting.options().schedule.options().end, 1.5);
  setting.request.calibration_data = images(8);
  options = setting.options();
  EXPECT_EQ(options.recipe, Recipe::calibrated_ramp);
  EXPECT_EQ(options.calibration_data, setting.request.calibration_data);
}

TEST(Resolve, TheRateFollowsTheCalibrationWithAdamwAlone) {
  RecipeSetting setting;
  setting.request.train_data = images(64, torch::arange(64) % 2);
  EXPECT_EQ(setting.options().learning_rate.kind, Kind::calibrated);
  setting.request.train.optimizer = OptimizerKind::sgd;
  EXPECT_EQ(setting.options().learning_rate.kind, Kind::fixed);
  setting.request.train.learning_rate = LearningRate{Kind::swept};
  EXPECT_EQ(setting.options().learning_rate.kind, Kind::swept);
  setting.request.train.learning_rate = LearningRate{.value = 0.25};
  EXPECT_EQ(setting.options().train.learning_rate, 0.25);
}

TEST(Resolve, NoEpochsAreNoTraining) {
  RecipeSetting setting;
  setting.request.train.epochs = 0;
  EXPECT_FALSE(setting.options().train_data);
  EXPECT_FALSE(setting.options().calibration_data);
  setting.request.train.warmup = 0.5;
  EXPECT_NE(setting.refusal().find("--warmup has no effect without training data"),
            std::string::npos);
}

TEST(Resolve, DataWithoutExamplesAreRefused) {
  for (const auto data : {&ConvertRequest::train_data, &ConvertRequest::validation_data,
                          &ConvertRequest::calibration_data}) {
    RecipeSetting setting;
    setting.request.*data = images(0);
    EXPECT_NE(setting.refusal().find("Expected examples in the "), std::string::npos)
        << setting.refusal();
  }
}

TEST(Resolve, NumbersOutsideTheirRangeAreRefused) {
  const auto refused = [](const std::function<void(ConvertRequest&)>& change) {
    RecipeSetting setting;
    setting.request.validation_data = images(8, torch::arange(8) % 2);
    change(setting.request);
    EXPECT_THROW(setting.options(), UsageError);
  };
  refused([](auto& request) { request.seeds = 0; });
  refused([](auto& request) { request.max_drop = -1.0; });
  refused([](auto& request) { request.budget_ms = std::nan(""); });
  refused([](auto& request) { request.train.epochs = -1.0; });
  refused([](auto& request) { request.train.batch_size = 0; });
  refused([](auto& request) { request.calibration.inputs = 0; });
  refused([](auto& request) { request.ramp.end = -1.0; });
}

// Before a calibration, which may take minutes.
TEST(Resolve, ARampThatIsLongerThanTheTrainingIsRefused) {
  RecipeSetting setting;
  setting.request.recipe = Recipe::calibrated_ramp;
  setting.request.train.batch_size = 16;  // four batches an epoch
  setting.request.ramp.end = 1.0;
  EXPECT_NO_THROW(setting.options());
  setting.request.ramp.hold = 0.5;
  EXPECT_NE(setting.refusal().find("holds it until 1.5; train for longer"), std::string::npos);
  setting.request.ramp = {.unit = ScheduleUnit::steps, .end = 5.0};
  EXPECT_NE(setting.refusal().find("at epoch 1.25"), std::string::npos) << setting.refusal();
  setting.request.ramp = {.end = 0.75, .bound = 1.0};
  setting.request.validation_data = images(8);
  EXPECT_NE(setting.refusal().find("reaches t = 1 by epoch 0.5"), std::string::npos)
      << setting.refusal();
}

struct Ineffective {
  const char* option;
  const char* need;
  std::function<void(ConvertRequest&)> change;
};

void PrintTo(const Ineffective& each, std::ostream* out) {
  *out << each.option;
}

class Effects : public ::testing::TestWithParam<Ineffective> {};

TEST_P(Effects, AnOptionWithoutOneIsRefusedWithWhatItNeeds) {
  RecipeSetting setting;
  setting.request.train_data = nullptr;
  GetParam().change(setting.request);
  const auto refusal = setting.refusal();
  EXPECT_EQ(refusal.find(std::string(GetParam().option) + " has no effect without "), 0U)
      << refusal;
  EXPECT_NE(refusal.find(GetParam().need), std::string::npos) << refusal;
}

using Request = ConvertRequest;

// Each with all that it needs but the last.
INSTANTIATE_TEST_SUITE_P(
    All, Effects,
    ::testing::Values(
        Ineffective{"--epochs", "--train", [](Request& r) { r.train.epochs = 2; }},
        Ineffective{"--recipe", "--train", [](Request& r) { r.recipe = Recipe::calibrated; }},
        Ineffective{"--recipe", "--train",
                    [](Request& r) {
                      r.calibration_data = images(8);
                      r.recipe = Recipe::calibrated_ramp;
                    }},
        Ineffective{"--calibrate", "a recipe that calibrates",
                    [](Request& r) {
                      r.train_data = r.calibration_data = images(8);
                      r.recipe = Recipe::hard;
                    }},
        Ineffective{"--calibrate-inputs", "a calibration",
                    [](Request& r) { r.calibration.inputs = 8; }},
        Ineffective{"--calibrate-batch", "a calibration",
                    [](Request& r) {
                      r.train_data = images(8);
                      r.recipe = Recipe::ramp;
                      r.calibration.batch_size = 8;
                    }},
        Ineffective{"--calibrate-memory", "a calibration",
                    [](Request& r) { r.calibration.memory = 1'000'000'000; }},
        Ineffective{"--calibrate-passes", "a calibration",
                    [](Request& r) { r.calibration.passes = 8; }},
        Ineffective{"--calibrate-minutes", "a calibration",
                    [](Request& r) { r.calibration.minutes = 1.0; }},
        Ineffective{"--calibrate-minutes", "no --calibrate-passes",
                    [](Request& r) {
                      r.calibration_data = images(8);
                      r.calibration.passes = 2;
                      r.calibration.minutes = 1.0;
                    }},
        Ineffective{"--calibrate-draw", "--calibrate-passes above 0",
                    [](Request& r) {
                      r.calibration_data = images(8);
                      r.calibration.minutes = 0.0;
                      r.calibration.draws_each_pass = true;
                    }},
        Ineffective{"--calibrate-draw", "--calibrate-passes above 0",
                    [](Request& r) {
                      r.calibration_data = images(8);
                      r.calibration.passes = 0;
                      r.calibration.draws_each_pass = true;
                    }},
        Ineffective{"--curve", "--train", [](Request& r) { r.ramp.curve = Curve::cosine; }},
        Ineffective{"--curve", "a ramp",
                    [](Request& r) {
                      r.train_data = images(8);
                      r.recipe = Recipe::calibrated;
                      r.ramp.curve = Curve::cosine;
                    }},
        Ineffective{"--ramp-begin", "rises gradually",
                    [](Request& r) {
                      r.train_data = images(8);
                      r.ramp.curve = Curve::step;
                      r.ramp.begin = 0.1;
                    }},
        Ineffective{"--ramp-unit", "--ramp-end",
                    [](Request& r) {
                      r.train_data = images(8);
                      r.ramp.unit = ScheduleUnit::epochs;
                    }},
        Ineffective{"--bound", "--val",
                    [](Request& r) {
                      r.train_data = images(8);
                      r.ramp.bound = 1.0;
                    }},
        Ineffective{"--blend-code", "--train", [](Request& r) { r.blend_code = BlendCode::stock; }},
        Ineffective{"--lr", "--train",
                    [](Request& r) { r.train.learning_rate = LearningRate{.value = 0.1}; }},
        Ineffective{"--lr calibrated", "adamw",
                    [](Request& r) {
                      r.train_data = images(8);
                      r.train.optimizer = OptimizerKind::sgd;
                      r.train.learning_rate = LearningRate{Kind::calibrated};
                    }},
        Ineffective{"--momentum", "sgd",
                    [](Request& r) {
                      r.train_data = images(8);
                      r.train.momentum = 0.5;
                    }},
        Ineffective{"--temperature", "distil",
                    [](Request& r) {
                      r.train_data = images(8);
                      r.train.loss = Signal::distil_mse;
                      r.train.temperature = 2.0;
                    }},
        Ineffective{"--class-dim", "cross-entropy",
                    [](Request& r) {
                      r.train_data = images(8);
                      r.train.loss = Signal::distil_mse;
                      r.train.class_dim = 1;
                    }},
        Ineffective{"--keep-best", "--val",
                    [](Request& r) {
                      r.train_data = images(8);
                      r.train.keep = Keep::best;
                    }},
        Ineffective{"--patience", "--val",
                    [](Request& r) {
                      r.train_data = images(8);
                      r.train.patience = 3;
                    }},
        Ineffective{"--check-every", "--val",
                    [](Request& r) {
                      r.train_data = images(8);
                      r.train.check_every = 0.5;
                    }},
        Ineffective{"--control", "--train", [](Request& r) { r.control = true; }},
        Ineffective{"--control", "--val",
                    [](Request& r) {
                      r.train_data = images(8);
                      r.control = true;
                    }},
        Ineffective{"--seed", "data to calibrate or train on", [](Request& r) { r.seed = 1; }},
        Ineffective{"--seeds", "data to calibrate or train on", [](Request& r) { r.seeds = 2; }},
        Ineffective{"--seeds", "--val",
                    [](Request& r) {
                      r.train_data = images(8);
                      r.seeds = 2;
                    }},
        Ineffective{"--max-drop", "labelled validation data",
                    [](Request& r) {
                      r.validation_data = images(8);
                      r.max_drop = 1.0;
                    }},
        Ineffective{"--plan-by-sensitivity", "--max-drop",
                    [](Request& r) { r.plan_by_sensitivity = true; }},
        Ineffective{"--budget-ms", "--val", [](Request& r) { r.budget_ms = 1.0; }},
        Ineffective{"--sensitivity-examples", "--budget-ms",
                    [](Request& r) { r.sensitivity_examples = 10; }}));

TEST(Names, AreReadAsTheyArePrinted) {
  for (const auto recipe :
       {Recipe::calibrated, Recipe::calibrated_ramp, Recipe::ramp, Recipe::hard}) {
    EXPECT_EQ(parse_recipe(to_string(recipe)), recipe);
  }
  for (const auto code : {BlendCode::fused, BlendCode::stock}) {
    EXPECT_EQ(parse_blend_code(to_string(code)), code);
  }
  EXPECT_EQ(parse_schedule_unit("steps"), ScheduleUnit::steps);
  EXPECT_THROW(parse_recipe("soup"), UsageError);
  EXPECT_THROW(parse_blend_code("soup"), UsageError);
  EXPECT_THROW(parse_schedule_unit("hours"), UsageError);
}

}  // namespace
}  // namespace actswap
