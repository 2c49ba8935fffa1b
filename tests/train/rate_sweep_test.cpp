#include <actswap/train/rate_sweep.h>
#include <gtest/gtest.h>

#include "train/modules.h"

#include <algorithm>
#include <cmath>

namespace actswap {
namespace {

using Blends = std::vector<double>;

/// Notes the batches that are asked for.
struct Watched : Dataset {
  TensorDataset data;
  mutable std::vector<std::vector<std::int64_t>> asked;

  Watched() : data(make()) {}
  static TensorDataset make() {
    torch::manual_seed(2);
    const auto x = torch::randn({160, 4});
    return {{x}, torch::matmul(x, torch::randn({4, 3}))};
  }
  std::int64_t size() const override { return data.size(); }
  Example get(std::span<const std::int64_t> indices) const override {
    asked.emplace_back(indices.begin(), indices.end());
    return data.get(indices);
  }
};

TrainOptions options_for(OptimizerKind optimizer) {
  auto options = plain_options(Signal::mse);
  options.optimizer = optimizer;
  options.batch_size = 8;
  options.epochs = 20;
  return options;
}

TEST(RateSweep, TakesTheRateWithTheLeastLossAndLeavesTheModule) {
  for (const auto optimizer : {OptimizerKind::adamw, OptimizerKind::sgd}) {
    auto module = make_linear(4, 3);
    const auto before = module.attr("w").toTensor().detach().clone();
    Blends blends;
    const auto sweep = [&] {
      return sweep_rates(
          module, {}, Watched::make(), {Schedule::linear({.end = 6.0})},
          [&](const Blends& now) { blends = now; }, options_for(optimizer));
    };
    const auto first = sweep();
    EXPECT_TRUE(module.attr("w").toTensor().equal(before));
    EXPECT_EQ(blends, Blends{0.0});
    EXPECT_EQ(first.steps, 20);  // a twentieth of 20 epochs of 20 batches
    EXPECT_EQ(first.held_out, 20);
    ASSERT_GE(first.trials.size(), 5U);
    auto least = first.trials[0];
    for (std::size_t i = 1; i < first.trials.size(); ++i) {
      EXPECT_NEAR(first.trials[i].rate / first.trials[i - 1].rate, 3.0, 1e-9);
      least = first.trials[i].loss < least.loss ? first.trials[i] : least;
    }
    EXPECT_EQ(first.chosen, least.rate);
    EXPECT_LT(least.loss, first.start_loss);
    torch::manual_seed(99);
    const auto second = sweep();
    ASSERT_EQ(second.trials.size(), first.trials.size());
    for (std::size_t i = 0; i < first.trials.size(); ++i) {
      EXPECT_EQ(second.trials[i].loss, first.trials[i].loss);
    }
  }
}

TEST(RateSweep, GoesOnBeyondTheOutermost) {
  // Far from the target, AdamW gets as far as its rate allows: the highest is the best, and the two
  // beyond it are tried.
  auto module =
      make_module({{"w", torch::full({4, 3}, 50.0)}}, "  return torch.matmul(x, self.w)\n");
  const auto sweep =
      sweep_rates(module, {}, Watched::make(), {no_ramp()}, {}, options_for(OptimizerKind::adamw));
  ASSERT_EQ(sweep.trials.size(), 7U);
  EXPECT_NEAR(sweep.chosen, 3e-4 * 81.0, 1e-9);
}

TEST(RateSweep, JudgesOnWhatNoTrialSaw) {
  Watched data;
  auto module = make_linear(4, 3);
  sweep_rates(module, {}, data, {no_ramp()}, {}, options_for(OptimizerKind::adamw));
  // What the first loss is of is what is held out; batches of 8 of it, in order.
  std::vector<std::int64_t> held_out;
  for (int i = 0; i < 3; ++i) {
    held_out.insert(held_out.end(), data.asked[i].begin(), data.asked[i].end());
  }
  ASSERT_EQ(held_out.size(), 20U);
  int other = 0;
  for (const auto& batch : data.asked) {
    const auto inside = std::count_if(batch.begin(), batch.end(), [&](std::int64_t index) {
      return std::find(held_out.begin(), held_out.end(), index) != held_out.end();
    });
    EXPECT_TRUE(inside == 0 || inside == static_cast<std::int64_t>(batch.size()));
    other += inside == 0 ? 1 : 0;
  }
  EXPECT_GE(other, 5 * 20);
}

TEST(RateSweep, ARateThatDivergesIsNotTaken) {
  // y = exp(100 w x): a step too many, and it overflows.
  auto module = make_module({{"w", torch::zeros({1})}}, "  return torch.exp(x * self.w * 100.0)\n");
  torch::manual_seed(2);
  const auto x = torch::rand({160, 1});
  const auto sweep = sweep_rates(module, {}, TensorDataset({x}, torch::exp(x * 0.1)), {no_ramp()},
                                 {}, options_for(OptimizerKind::sgd));
  EXPECT_TRUE(std::isinf(sweep.trials.back().loss));
  EXPECT_LT(sweep.chosen, sweep.trials.back().rate);
  EXPECT_EQ(module.attr("w").toTensor().item<double>(), 0.0);
}

TEST(RateSweep, RefusesTooFewExamples) {
  auto module = make_linear(4, 3);
  const TensorDataset data({torch::ones({7, 4})}, torch::ones({7, 3}));
  EXPECT_NE(usage_error([&] {
              sweep_rates(module, {}, data, {no_ramp()}, {}, options_for(OptimizerKind::sgd));
            }).find("8 examples or more"),
            std::string::npos);
}

}  // namespace
}  // namespace actswap
