// Small modules and data for the tests of training.
#pragma once

#include <actswap/base/error.h>
#include <actswap/train/trainer.h>

#include <gtest/gtest.h>
#include <torch/script.h>
#include <torch/utils.h>

#include <string>
#include <utility>
#include <vector>

namespace actswap {

/// A module with parameters and a forward; it reads self.training and the float attribute t.
inline torch::jit::Module make_module(
    const std::vector<std::pair<std::string, torch::Tensor>>& parameters,
    const std::string& forward) {
  torch::jit::Module module("__torch__.m");
  module.register_attribute("training", c10::BoolType::get(), true);
  module.register_attribute("t", c10::FloatType::get(), 0.0);
  for (const auto& [name, value] : parameters) {
    module.register_parameter(name, value.clone().set_requires_grad(true), false);
  }
  module.define("def forward(self, x):\n" + forward);
  return module;
}

/// x w + b with fixed weights that depend on `seed`.
inline torch::jit::Module make_linear(std::int64_t inputs, std::int64_t outputs,
                                      std::uint64_t seed = 1) {
  torch::manual_seed(seed);
  return make_module({{"w", torch::randn({inputs, outputs})}, {"b", torch::randn({outputs})}},
                     "  return torch.matmul(x, self.w) + self.b\n");
}

/// The identity, as far as values go, so that a test chooses the output.
inline torch::jit::Module make_identity() {
  return make_module({{"w", torch::ones({1})}}, "  return x * self.w\n");
}

/// Random examples of a regression.
inline TensorDataset regression(std::int64_t examples = 40, std::int64_t inputs = 4,
                                std::int64_t outputs = 3) {
  torch::manual_seed(11);
  return {{torch::randn({examples, inputs})}, torch::randn({examples, outputs})};
}

inline const auto kIgnoreBlend = [](double) {};

/// t is 1 from the start.
inline Schedule no_ramp() {
  return Schedule::step({});
}

/// All steps at one rate's schedule, one batch an epoch.
inline TrainOptions plain_options(const Loss& loss) {
  TrainOptions options;
  options.loss = loss;
  options.optimizer = OptimizerKind::sgd;
  options.momentum = 0.0;
  options.warmup = 0.0;
  options.average = 0.0;
  options.learning_rate = 0.1;
  options.batch_size = 1000;
  return options;
}

/// The message of the UsageError that `run` throws, or "".
template <typename Run>
std::string usage_error(Run run) {
  try {
    run();
  } catch (const UsageError& error) {
    return error.what();
  }
  return "";
}

/// The message of the Diverged that `run` throws, or "".
template <typename Run>
std::string diverged(Run run) {
  try {
    run();
  } catch (const Diverged& error) {
    EXPECT_EQ(error.kind(), ErrorKind::accuracy);
    return error.what();
  }
  return "";
}

}  // namespace actswap
