// As few sites kept as it takes for an agreement, measured.
#include <actswap/base/error.h>
#include <actswap/pipeline/convert.h>
#include <actswap/pipeline/recipe.h>

#include <gtest/gtest.h>

#include "models.h"

namespace actswap {
namespace {

struct PartialSetting {
  ScratchFolder scratch;
  Model model = load(test_model("scripted_module.pt"));
  Plan the_plan = plan(model, {});
  ConvertRequest request;
  std::vector<std::string> messages;

  PartialSetting() {
    torch::manual_seed(1);
    request.output = scratch / "out.pt";
    request.run_directory = "";
    request.calibration_data = std::make_shared<TensorDataset>(
        std::vector<torch::Tensor>{torch::randn({96, 3, 8, 8})}, torch::Tensor());
    request.calibration.passes = 0;
    request.agreement = AgreementMeasure::explained;
  }
  Run run() {
    ConvertCallbacks callbacks;
    callbacks.on_message = [this](const std::string& text) { messages.push_back(text); };
    return convert(model, the_plan, request, callbacks);
  }
  std::string message(ErrorKind kind) {
    try {
      run();
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), kind) << error.what();
      return error.what();
    }
    return "nothing was thrown";
  }
  double all_swapped() {
    request.min_agreement = 1e-6;
    const auto swap = run();
    EXPECT_EQ(swap.partial->kept, 0U);
    return swap.partial->points.at(0).value;
  }
};

TEST(PartialSwap, SwapsAllWhereThatIsNearEnough) {
  PartialSetting setting;
  const auto value = setting.all_swapped();
  setting.request.min_agreement = 0.999 * value;
  const auto run = setting.run();
  EXPECT_EQ(run.plan.swapped(), 3U);
  EXPECT_EQ(run.partial->points.size(), 1U);
  EXPECT_FALSE(run.sensitivity) << "the sites need no order then";
}

TEST(PartialSwap, KeepsTheFewestSitesThatItTakes) {
  PartialSetting setting;
  const auto value = setting.all_swapped();
  setting.request.min_agreement = value + 1e-6;
  const auto run = setting.run();
  ASSERT_TRUE(run.partial && run.partial->kept);
  const auto& partial = *run.partial;
  EXPECT_GT(*partial.kept, 0U);
  EXPECT_EQ(run.plan.swapped(), 3U - *partial.kept);
  EXPECT_EQ(partial.inputs, 72) << "what is not held out";
  EXPECT_EQ(partial.examples, 24);
  EXPECT_EQ(partial.order.size(), 3U);
  EXPECT_EQ(run.sensitivity->measure, "relative_error");
  for (std::size_t i = 1; i < partial.points.size(); ++i) {
    EXPECT_LT(partial.points[i - 1].kept, partial.points[i].kept);
    EXPECT_GE(*partial.points[i - 1].saved_ms, *partial.points[i].saved_ms - 1e-9);
  }
  // Those that come first in the order stay, and the file has them.
  for (std::size_t i = 0; i < 3; ++i) {
    const auto& id = partial.order[i];
    const auto site = std::ranges::find_if(
        run.plan.sites, [&](const PlannedSite& planned) { return planned.site.id == id; });
    EXPECT_EQ(site->target.has_value(), i >= *partial.kept) << id;
  }
  EXPECT_EQ(plan(load(setting.request.output), {}).swapped(), *partial.kept);
  EXPECT_GE(1.0 - run.agreement->relative_error, *setting.request.min_agreement);
  const auto json = nlohmann::json::parse(to_json(run));
  EXPECT_EQ(json["partial"]["kept"], *partial.kept);
  EXPECT_EQ(json["partial"]["points"].size(), partial.points.size());
  EXPECT_EQ(json["options"]["min_agreement"], *setting.request.min_agreement);
  EXPECT_FALSE(json.contains("predicted"));
  EXPECT_NE(summary_table(run).find("<- chosen"), std::string::npos);
}

TEST(PartialSwap, WithoutAnythingNearEnoughNothingIsWritten) {
  PartialSetting setting;
  setting.request.min_agreement = 1.0;
  const auto message = setting.message(ErrorKind::accuracy);
  EXPECT_NE(message.find("No swap meets a 1 - relative error of 1 or more"), std::string::npos)
      << message;
  EXPECT_NE(message.find("sites kept"), std::string::npos) << "the curve: " << message;
  EXPECT_TRUE(setting.scratch.list().empty());
}

TEST(PartialSwap, OfASwapAloneOnValidationData) {
  PartialSetting setting;
  std::swap(setting.request.calibration_data, setting.request.validation_data);
  setting.request.calibration.passes.reset();
  setting.request.min_agreement = 1e-6;
  const auto run = setting.run();
  EXPECT_FALSE(run.calibration);
  EXPECT_EQ(run.partial->inputs, 0);
  EXPECT_EQ(run.partial->examples, 96);
}

TEST(PartialSwap, WithinADropThatIsMeasured) {
  PartialSetting setting;
  const auto images =
      setting.request.calibration_data->get(shuffled_indices(96, 0, 0)).inputs.at(0);
  auto original = reload(setting.model.module);
  original.eval();
  setting.request.validation_data = std::make_shared<TensorDataset>(
      std::vector<torch::Tensor>{images}, outputs_of(original, {images})[0]);
  setting.request.agreement.reset();
  setting.request.plan_by_sensitivity = true;
  setting.request.max_drop = 1e6;
  const auto all = setting.run();
  EXPECT_EQ(all.plan.swapped(), 3U);
  EXPECT_EQ(all.partial->measure, "drop of the mse");
  setting.request.max_drop = all.partial->points.at(0).value * 0.999;
  const auto run = setting.run();
  EXPECT_GT(*run.partial->kept, 0U);
  EXPECT_LE(run.retargeted->value, *setting.request.max_drop);
}

TEST(PartialSwap, OptionsThatMakeNoSense) {
  const auto refused = [](const char* part, const std::function<void(ConvertRequest&)>& change) {
    PartialSetting setting;
    setting.request.min_agreement = 0.9;
    change(setting.request);
    const auto message = setting.message(ErrorKind::usage);
    EXPECT_NE(message.find(part), std::string::npos) << message;
  };
  refused("least agreement", [](ConvertRequest& request) { request.min_agreement = 1.5; });
  refused("least agreement", [](ConvertRequest& request) { request.min_agreement = 0.0; });
  refused("--agreement", [](ConvertRequest& request) { request.min_agreement.reset(); });
  refused("inputs to compare on", [](ConvertRequest& request) {
    request.calibration_data.reset();
    request.calibration.passes.reset();
  });
  refused("2 examples", [](ConvertRequest& request) {
    request.calibration_data = std::make_shared<TensorDataset>(
        std::vector<torch::Tensor>{torch::randn({1, 3, 8, 8})}, torch::Tensor());
  });
  refused("--budget-ms", [](ConvertRequest& request) {
    request.validation_data = request.calibration_data;
    request.budget_ms = 1.0;
  });
  refused("--val DATA",
          [](ConvertRequest& request) { request.train_data = request.calibration_data; });
}

}  // namespace
}  // namespace actswap
