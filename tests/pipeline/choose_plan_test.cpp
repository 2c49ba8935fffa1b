#include <actswap/base/error.h>
#include <actswap/measure/sensitivity_plan.h>
#include <actswap/pipeline/convert.h>

#include <gtest/gtest.h>

#include "models.h"

namespace actswap {
namespace {

// The target is what the model itself puts out: a swap's loss is its mean squared error.
struct PlanSetting {
  ScratchFolder scratch;
  Model model = load(test_model("scripted_module.pt"));
  Plan the_plan = plan(model, {});
  ConvertRequest request;
  Sensitivity sensitivity;

  PlanSetting() {
    torch::manual_seed(1);
    const auto images = torch::randn({64, 3, 8, 8});
    auto module = reload(model.module);
    module.eval();
    request.output = scratch / "out.pt";
    request.validation_data = std::make_shared<TensorDataset>(std::vector<torch::Tensor>{images},
                                                              outputs_of(module, {images})[0]);
    request.plan_by_sensitivity = true;
    sensitivity = measure_sensitivity(model, the_plan, *request.validation_data, {});
    std::ranges::sort(sensitivity.sites, std::less(), &SiteSensitivity::loss);
  }
  double loss(std::size_t i) const { return sensitivity.sites.at(i).loss; }
  Run run(const ConvertCallbacks& callbacks = {}) const {
    return convert(model, the_plan, request, callbacks);
  }
  std::string message(ErrorKind kind) const {
    try {
      run();
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), kind) << error.what();
      return error.what();
    }
    return "nothing was thrown";
  }
};

TEST(ChoosePlan, WithinADropOneSiteIsSwappedAndLosesWhatWasPredicted) {
  PlanSetting setting;
  setting.request.max_drop = 1.0000001 * setting.loss(0);  // the others do not fit
  std::vector<std::string> messages;
  ConvertCallbacks callbacks;
  callbacks.on_message = [&](const std::string& text) { messages.push_back(text); };
  const auto run = setting.run(callbacks);
  ASSERT_EQ(run.plan.swapped(), 1U);
  ASSERT_TRUE(run.sensitivity);
  EXPECT_NEAR(run.retargeted->value, predict(run.plan, *run.sensitivity).drop, 1e-9);
  EXPECT_LE(run.retargeted->value, *setting.request.max_drop);
  EXPECT_EQ(std::ranges::count_if(messages,
                                  [](const std::string& text) {
                                    return text.find(" kept: its swap alone loses") !=
                                           std::string::npos;
                                  }),
            2);
  // The sites that were kept are still there.
  EXPECT_EQ(plan(load(setting.request.output), {}).swapped(), 2U);
  const auto json = nlohmann::json::parse(to_json(run));
  EXPECT_EQ(json["sensitivity"]["measure"], "mse");
  EXPECT_EQ(json["sensitivity"]["sites"].size(), 3U);
  EXPECT_NEAR(json["predicted"]["drop"], run.retargeted->value, 1e-9);
  EXPECT_NE(summary_table(run).find("predicted from its sites"), std::string::npos);
}

TEST(ChoosePlan, TheGateMeasuresWhatCameOut) {
  PlanSetting setting;
  setting.request.plan_by_sensitivity = false;
  setting.request.max_drop = 0.5 * setting.loss(0);
  EXPECT_NE(setting.message(ErrorKind::accuracy).find("fell by"), std::string::npos);
  // With a plan that swaps nothing there is nothing to measure.
  setting.request.plan_by_sensitivity = true;
  EXPECT_NE(setting.message(ErrorKind::accuracy).find("No site can be swapped"), std::string::npos);
  EXPECT_TRUE(setting.scratch.list().empty());
}

TEST(ChoosePlan, WithinABudget) {
  PlanSetting setting;
  setting.request.plan_by_sensitivity = false;
  setting.request.probe_inputs = {torch::randn({2, 3, 8, 8})};
  const auto gains = measure_gains(setting.model, setting.the_plan, setting.request.probe_inputs);
  ASSERT_EQ(gains.sites.size(), 3U);
  setting.request.budget_ms = 1e-6;
  const auto message = setting.message(ErrorKind::usage);
  EXPECT_NE(message.find("swapping all 3 sites"), std::string::npos) << message;
  setting.request.budget_ms = 1e6;
  EXPECT_NE(setting.message(ErrorKind::usage).find("nothing needs to be swapped"),
            std::string::npos);
  EXPECT_TRUE(setting.scratch.list().empty());
}

TEST(ChoosePlan, OptionsThatAreMissing) {
  PlanSetting setting;
  EXPECT_NE(setting.message(ErrorKind::usage).find("--max-drop"), std::string::npos);
  setting.request.max_drop = 1.0;
  setting.request.budget_ms = 1.0;
  EXPECT_NE(setting.message(ErrorKind::usage).find("both"), std::string::npos);
  setting.request.budget_ms.reset();
  const std::int64_t index = 0;
  setting.request.validation_data = std::make_shared<TensorDataset>(
      setting.request.validation_data->get({&index, 1}).inputs, torch::Tensor());
  EXPECT_NE(setting.message(ErrorKind::usage).find("labelled validation data"), std::string::npos);
  setting.request.validation_data = nullptr;
  EXPECT_NE(setting.message(ErrorKind::usage).find("validation data"), std::string::npos);
}

TEST(ChoosePlan, StopsWhenAsked) {
  PlanSetting setting;
  setting.request.max_drop = 1.0;
  int asked = 0;
  ConvertCallbacks callbacks;
  callbacks.should_stop = [&] { return ++asked > 2; };
  EXPECT_THROW(setting.run(callbacks), Interrupted);
}

}  // namespace
}  // namespace actswap
