#include <actswap/base/error.h>
#include <actswap/measure/payoff.h>
#include <actswap/measure/site_values.h>

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <numeric>

#include "models.h"

namespace actswap {
namespace {

TEST(Payoff, IsWhatTheIntervalOfTheRatioSays) {
  const auto verdict = [](double low, double high, const std::string& doubt = "") {
    return to_string(judge_times({.ratio_interval = {low, high}, .doubt = doubt}));
  };
  EXPECT_EQ(verdict(0.8, 0.99), "yes");
  EXPECT_EQ(verdict(1.01, 1.2), "no");
  EXPECT_EQ(verdict(0.9, 1.1), "not told apart");
  EXPECT_EQ(verdict(0.9, 1.0), "not told apart");
  EXPECT_EQ(verdict(0.8, 0.9, "others were busy"), "doubtful");
}

TEST(Payoff, OfAModelThatRejectsTheInputs) {
  const auto model = load(test_model("scripted_module.pt"));
  EXPECT_THROW(measure_payoff(model, plan(model, {}), {torch::ones({2, 5})}), UsageError);
}

TEST(SiteValues, AreSampledAtTheSamePlacesInEveryModel) {
  const auto model = load(test_model("scripted_module.pt"));
  const auto inputs = std::vector{torch::rand({4, 3, 64, 64})};
  const auto once = sample_sites(model, inputs);
  const auto again = sample_sites(model, inputs);
  ASSERT_EQ(once.size(), 3U);
  for (const auto& [id, values] : once) {
    EXPECT_EQ(values.inputs, again.at(id).inputs);
    ASSERT_EQ(values.inputs.size(), values.outputs.size());
    for (std::size_t i = 0; i < values.inputs.size(); ++i) {
      const double x = values.inputs[i];
      EXPECT_NEAR(values.outputs[i], x * std::tanh(std::log1p(std::exp(x))), 1e-5);
    }
  }
}

TEST(SiteValues, HistogramOfMostValues) {
  std::vector<float> values(10001);
  std::iota(values.begin(), values.end(), 0.0F);
  values.push_back(std::numeric_limits<float>::infinity());
  values.push_back(std::numeric_limits<float>::quiet_NaN());
  const auto found = histogram(values);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->low, 20.0);
  EXPECT_EQ(found->high, 9980.0);
  EXPECT_EQ(found->counts.size(), 32U);
  EXPECT_EQ(std::accumulate(found->counts.begin(), found->counts.end(), std::int64_t{0}), 9961);
  EXPECT_NEAR(static_cast<double>(found->counts[5]), 9960.0 / 32.0, 1.0);
  EXPECT_FALSE(histogram({}));
  EXPECT_FALSE(histogram({1.0F, 1.0F}));
}

TEST(SiteValues, RelativeVariance) {
  EXPECT_EQ(relative_variance({1.0F, 3.0F}, {1.0F, 3.0F}), 0.0);
  EXPECT_EQ(relative_variance({2.0F, 2.0F}, {1.0F, 3.0F}), 1.0);
  EXPECT_FALSE(relative_variance({2.0F}, {1.0F, 3.0F}));
  EXPECT_FALSE(relative_variance({2.0F, 2.0F}, {3.0F, 3.0F}));
  EXPECT_FALSE(relative_variance({std::numeric_limits<float>::infinity(), 2.0F}, {1.0F, 3.0F}));
}

}  // namespace
}  // namespace actswap
