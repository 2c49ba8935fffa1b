#include <gtest/gtest.h>

#include "models.h"
#include "train/modules.h"

#include <algorithm>

namespace actswap {
namespace {

std::vector<torch::Tensor> state_of(const torch::jit::Module& module) {
  std::vector<torch::Tensor> tensors;
  for (const auto& parameter : module.parameters()) {
    tensors.push_back(parameter.detach().to(torch::kDouble).clone());
  }
  for (const auto& buffer : module.buffers()) {
    tensors.push_back(buffer.to(torch::kDouble).clone());
  }
  return tensors;
}

struct Trained {
  std::vector<std::vector<torch::Tensor>> after_step;  ///< of steps at t = 1
  std::vector<torch::Tensor> at_end;
};

Trained run(double average, const Schedule& schedule) {
  auto module = load(test_model("dropout_bn.pt")).module;  // convolutions with batch norm
  torch::manual_seed(1);
  const TensorDataset data({torch::randn({48, 3, 8, 8})}, {});
  auto options = plain_options(Signal::distil_mse);
  options.batch_size = 8;
  options.epochs = 2;
  options.average = average;
  const auto teacher = reload(module);
  Trained trained;
  TrainCallbacks callbacks;
  callbacks.on_step = [&](const Progress& progress) {
    if (progress.t == 1.0) {
      trained.after_step.push_back(state_of(module));
    }
  };
  train(module, teacher, data, schedule, [](double) {}, options, callbacks);
  trained.at_end = state_of(module);
  return trained;
}

TEST(Averaging, IsTheRecursionOverStepsAtTheEndOfTheRamp) {
  const auto trained = run(0.3, Schedule::linear({.end = 1.0}));
  ASSERT_EQ(trained.after_step.size(), 6U);
  auto expected = trained.after_step[0];
  for (std::size_t n = 1; n < 6; ++n) {
    const double decay = std::min(0.3, (1.0 + n) / (10.0 + n));
    for (std::size_t i = 0; i < expected.size(); ++i) {
      expected[i] = decay * expected[i] + (1.0 - decay) * trained.after_step[n][i];
    }
  }
  bool differs = false;
  int counters = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    if (expected[i].dim() == 0) {  // batch norm's count of batches is no average
      EXPECT_EQ(trained.at_end[i].item<double>(), 12.0);
      ++counters;
      continue;
    }
    EXPECT_TRUE(trained.at_end[i].allclose(expected[i], 1e-5, 1e-6)) << i;
    differs = differs || !trained.at_end[i].allclose(trained.after_step[5][i], 1e-5, 1e-6);
  }
  EXPECT_GT(counters, 0);
  EXPECT_TRUE(differs) << "the average is the last state";
}

TEST(Averaging, NothingIsAveragedWithoutAStepAtTheEnd) {
  const auto trained = run(0.9, Schedule::linear({.end = 2.0}));
  const auto plain = run(0.0, Schedule::linear({.end = 2.0}));
  EXPECT_TRUE(trained.after_step.empty());
  for (std::size_t i = 0; i < plain.at_end.size(); ++i) {
    EXPECT_TRUE(trained.at_end[i].equal(plain.at_end[i])) << i;
  }
}

TEST(Averaging, DoesNotDisturbTheTraining) {
  const auto averaged = run(0.9, no_ramp());
  const auto plain = run(0.0, no_ramp());
  ASSERT_EQ(averaged.after_step.size(), 12U);
  for (std::size_t i = 0; i < plain.at_end.size(); ++i) {
    EXPECT_TRUE(averaged.after_step[11][i].equal(plain.after_step[11][i])) << i;
    EXPECT_TRUE(plain.at_end[i].equal(plain.after_step[11][i])) << i;
  }
}

TEST(Averaging, ReducedPrecisionIsAveragedInFloat32) {
  // One step of 1 / 256 from 1 is the least that bfloat16 shows there, and 0.01 of it is nothing.
  auto module = make_module({{"w", torch::ones({1}, torch::kBFloat16)}}, "  return x * self.w\n");
  const auto w = module.attr("w").toTensor();
  auto options = plain_options(Signal::mse);
  options.average = 0.99;
  options.epochs = 400;
  TrainCallbacks callbacks;
  int step = 0;
  callbacks.on_step = [&](const Progress&) {
    const torch::NoGradGuard no_grad;
    w.fill_(++step < 200 ? 1.0 : 1.5);
  };
  options.learning_rate = 1e-30;
  train(
      module, {}, TensorDataset({torch::ones({2, 1}, torch::kBFloat16)}, torch::ones({2, 1})),
      no_ramp(), [](double) {}, options, callbacks);
  double expected = 1.0;
  for (int n = 1; n < 400; ++n) {  // what on_step wrote before
    const double decay = std::min(0.99, (1.0 + n) / (10.0 + n));
    expected = decay * expected + (1.0 - decay) * (n < 200 ? 1.0 : 1.5);
  }
  EXPECT_NEAR(w.to(torch::kDouble).item<double>(), expected, 0.5 / 128.0);
}

}  // namespace
}  // namespace actswap
