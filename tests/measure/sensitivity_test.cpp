#include <actswap/base/error.h>
#include <actswap/data/sample.h>
#include <actswap/graph/retarget.h>
#include <actswap/measure/sensitivity.h>

#include <gtest/gtest.h>
#include <torch/script.h>
#include <torch/utils.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "models.h"

namespace actswap {
namespace {

struct MeasuredModel {
  Model model = load(test_model("scripted_module.pt"));
  Plan the_plan = plan(model, {});
  torch::Tensor images;

  MeasuredModel() {
    torch::manual_seed(1);
    images = torch::randn({40, 3, 8, 8});
    // As it comes it gives all images one class.
    auto module = model.module;
    module.eval();
    const torch::NoGradGuard no_grad;
    module.attr("head").toModule().attr("bias").toTensor().sub_(
        outputs_of(module, {images})[0].mean(0));
  }
  TensorDataset data(const torch::Tensor& target = {}) const { return {{images}, target}; }

  /// An export of the model with these sites swapped.
  torch::jit::Module swapped(const std::set<std::string>& sites) const {
    Plan some = the_plan;
    for (auto& planned : some.sites) {
      if (!sites.contains(planned.site.id)) {
        planned.target.reset();
      }
    }
    return Retargeter(model, some).finish();
  }
};

torch::Tensor run(torch::jit::Module module, const torch::Tensor& images) {
  module.eval();
  return outputs_of(module, {images})[0];
}

TEST(Sensitivity, OfEachSiteIsThatOfAnExportWithThisSiteAloneSwapped) {
  const MeasuredModel setting;
  const auto target = run(setting.model.module, setting.images).argmax(1);
  const auto result = measure_sensitivity(setting.model, setting.the_plan, setting.data(target),
                                          {.judging = {.batch_size = 16}});
  EXPECT_EQ(result.measure, "accuracy");
  EXPECT_EQ(result.original, 100.0);
  EXPECT_EQ(result.examples, 40);
  EXPECT_FALSE(result.latency_ms);
  ASSERT_EQ(result.sites.size(), 3U);
  std::set<std::string> all;
  for (const auto& site : result.sites) {
    const auto outputs = run(setting.swapped({site.id}), setting.images);
    const auto right = (outputs.argmax(1) == target).to(torch::kFloat64).mean();
    EXPECT_NEAR(site.value, 100.0 * right.item<double>(), 1e-4) << site.id;
    EXPECT_NEAR(site.loss, 100.0 - site.value, 1e-12);
    EXPECT_GT(site.loss, 0.0);
    EXPECT_EQ(*site.agreement.same_prediction, site.value);
    all.insert(site.id);
  }
  const auto right =
      (run(setting.swapped(all), setting.images).argmax(1) == target).to(torch::kFloat64).mean();
  EXPECT_NEAR(result.all_swapped, 100.0 * right.item<double>(), 1e-4);
}

TEST(Sensitivity, WithoutATargetTheOutputsAreCompared) {
  const MeasuredModel setting;
  const auto before = run(setting.model.module, setting.images);
  const auto result = measure_sensitivity(setting.model, setting.the_plan, setting.data(), {});
  EXPECT_EQ(result.measure, "relative_error");
  EXPECT_EQ(result.original, 0.0);
  EXPECT_FALSE(result.has_target());
  double sum = 0.0;
  for (const auto& site : result.sites) {
    const auto after = run(setting.swapped({site.id}), setting.images);
    const auto error = (after - before).square().sum() / before.square().sum();
    EXPECT_NEAR(site.loss, error.item<double>(), 1e-5 * error.item<double>()) << site.id;
    EXPECT_GT(site.loss, 0.0);
    EXPECT_GT(site.loss_half_width, 0.0);
    EXPECT_LT(site.loss_half_width, site.loss);
    sum += site.loss;
  }
  EXPECT_NEAR(result.sum_of_losses(), sum, 1e-12);
}

// Scripted, traced, frozen, forked, in place, written by hand: of every model all sites at once.
TEST(Sensitivity, OfEveryTestModelAllSwappedIsItsExport) {
  std::size_t measured = 0;
  for (const auto& entry : test_models()) {
    const auto io = recorded(entry.name);
    const bool is_batch = std::ranges::all_of(io.inputs, [&](const torch::Tensor& input) {
      return input.dim() > 0 && input.size(0) == io.inputs.front().size(0);
    });
    if (entry.sites == 0 || io.inputs.empty() || !is_batch) {
      continue;
    }
    const auto model = load(entry.path);
    const auto the_plan = plan(model, {});
    SensitivityOptions options;
    options.timing_inputs = io.inputs;
    options.timing_rounds = 1;
    const auto result = measure_sensitivity(model, the_plan, TensorDataset(io.inputs, {}), options);
    EXPECT_EQ(result.sites.size(), the_plan.swapped()) << entry.name;
    auto exported = Retargeter(model, the_plan).finish();
    exported.eval();
    auto original = recompile(model.module);
    original.eval();
    const auto wanted = judge({{original}, {exported}}, TensorDataset(io.inputs, {}))[1].agreement;
    EXPECT_NEAR(result.all_swapped, wanted.relative_error, 1e-6 * wanted.relative_error + 1e-12)
        << entry.name;
    EXPECT_GT(result.all_swapped, 0.0) << entry.name;
    for (const auto& site : result.sites) {
      EXPECT_GE(site.loss, 0.0) << entry.name << " " << site.id;
      EXPECT_TRUE(std::isfinite(site.loss)) << entry.name << " " << site.id;
      EXPECT_TRUE(site.loss == 0.0 || site.time || entry.name.starts_with("forked"))
          << entry.name << " " << site.id << ": it changes the output, but was not timed";
    }
    ++measured;
  }
  EXPECT_GT(measured, 20U);
}

// What is kept by the plan is not swapped, also where all are.
TEST(Sensitivity, OnlySitesOfThePlan) {
  const MeasuredModel setting;
  const auto some = plan(setting.model, {.keep = {"stem.*"}});
  const auto result = measure_sensitivity(setting.model, some, setting.data(), {});
  ASSERT_EQ(result.sites.size(), 2U);
  EXPECT_EQ(result.sites[0].id, "cells.0.act/forward/0");
  const auto before = run(setting.model.module, setting.images);
  const auto after = run(setting.swapped({result.sites[0].id, result.sites[1].id}), setting.images);
  const auto wanted = (after - before).to(torch::kFloat64).square().sum() /
                      before.to(torch::kFloat64).square().sum();
  EXPECT_NEAR(result.all_swapped / wanted.item<double>(), 1.0, 1e-6);
}

TEST(Sensitivity, ACalibratedSwapLosesLess) {
  const MeasuredModel setting;
  SensitivityOptions options;
  const auto alone = measure_sensitivity(setting.model, setting.the_plan, setting.data(), options);
  std::int64_t last = 0;
  options.judging.on_run = [&](std::int64_t done, std::int64_t all) {
    EXPECT_EQ(done, ++last);
    EXPECT_EQ(all, 8);  // two models, for all sites and for each of three, in one batch
  };
  options.calibration_batches = sample_inputs(setting.data(), 40, 16, 0);
  const auto calibrated =
      measure_sensitivity(setting.model, setting.the_plan, setting.data(), options);
  EXPECT_EQ(last, 8);
  EXPECT_TRUE(calibrated.calibrated);
  EXPECT_LT(calibrated.all_swapped, alone.all_swapped);
  ASSERT_EQ(calibrated.sites.size(), 3U);
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_LT(calibrated.sites[i].loss, alone.sites[i].loss);
  }
  // The model itself is what it was.
  const auto again = measure_sensitivity(setting.model, setting.the_plan, setting.data(), {});
  EXPECT_EQ(again.sites[0].loss, alone.sites[0].loss);
}

TEST(Sensitivity, TimesAreTakenWhereInputsAreGiven) {
  const MeasuredModel setting;
  SensitivityOptions options;
  options.timing_inputs = {torch::randn({4, 3, 32, 32})};
  const auto result = measure_sensitivity(setting.model, setting.the_plan, setting.data(), options);
  ASSERT_TRUE(result.latency_ms);
  double gains = 0.0;
  for (const auto& site : result.sites) {
    ASSERT_TRUE(site.time);
    EXPECT_EQ(site.time->cost.shape, (std::vector<std::int64_t>{4, 8, 32, 32}));
    EXPECT_EQ(site.time->cost.calls, 1);
    // ATen's mish takes some forty times as long as its relu.
    EXPECT_LT(site.time->ratio, 0.7);
    EXPECT_GT(site.time->milliseconds, 0.0);
    gains += site.time->milliseconds;
  }
  EXPECT_LT(gains, *result.latency_ms);
}

TEST(Sensitivity, ASiteThatTheInputsDoNotReachHasNoTime) {
  const auto model = load(test_model("methods.pt"));
  const auto io = recorded("methods");
  const auto gains = measure_gains(model, plan(model, {}), io.inputs, 3);
  EXPECT_TRUE(gains.sites.contains("act/forward/0"));
  EXPECT_FALSE(gains.sites.contains("/features/0"));
  EXPECT_THROW(measure_gains(model, plan(model, {}), io.inputs, 3, [] { return true; }),
               Interrupted);
}

TEST(Sensitivity, StopsWhenAsked) {
  const MeasuredModel setting;
  for (const bool calibrates : {false, true}) {
    SensitivityOptions options;
    int asked = 0;
    options.judging.should_stop = [&] { return ++asked > 3; };
    if (calibrates) {
      options.calibration_batches = sample_inputs(setting.data(), 40, 16, 0);
    }
    EXPECT_THROW(measure_sensitivity(setting.model, setting.the_plan, setting.data(), options),
                 Interrupted);
  }
}

TEST(Sensitivity, ThereMustBeASite) {
  const MeasuredModel setting;
  EXPECT_THROW(
      measure_sensitivity(setting.model, plan(setting.model, {.keep = {"*"}}), setting.data(), {}),
      UsageError);
}

SiteSensitivity site(const std::string& id, double loss, double gain) {
  SiteSensitivity made{.id = id, .loss = loss};
  made.time = SiteGain{.milliseconds = gain};
  return made;
}

TEST(Sensitivity, BestFirst) {
  Sensitivity result;
  result.latency_ms = 10.0;
  result.sites = {site("slow", 0.5, 1.0),    site("fast", 0.5, 2.0),     site("free", 0.0, 0.5),
                  site("better", -0.1, 1.5), site("in vain", 0.1, -0.5), site("dear", 5.0, 3.0)};
  const auto names = [&] {
    std::vector<std::string> ids;
    for (const auto i : best_first(result)) {
      ids.push_back(result.sites[i].id);
    }
    return ids;
  };
  EXPECT_EQ(names(),
            (std::vector<std::string>{"better", "free", "fast", "slow", "dear", "in vain"}));
  result.latency_ms.reset();
  EXPECT_EQ(names(),
            (std::vector<std::string>{"better", "free", "in vain", "slow", "fast", "dear"}));
}

}  // namespace
}  // namespace actswap
