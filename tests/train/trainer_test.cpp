#include <actswap/data/fixed_batches.h>

#include <gtest/gtest.h>

#include "train/modules.h"

#include <chrono>
#include <cmath>
#include <limits>
#include <random>
#include <thread>

namespace actswap {
namespace {

torch::jit::Module make_dropout_net() {
  torch::manual_seed(7);
  return make_module(
      {{"w", torch::randn({4, 16})}, {"v", torch::randn({16, 3})}},
      "  h = torch.dropout(torch.relu(torch.matmul(x, self.w)), 0.5, self.training)\n"
      "  return torch.matmul(h, self.v)\n");
}

// x w + b of so many examples and no other.
torch::jit::Module make_linear_of(std::int64_t examples, std::uint64_t seed) {
  torch::manual_seed(seed);
  return make_module(
      {{"w", torch::randn({4, 3})}, {"b", torch::randn({3})}},
      "  return torch.matmul(x.view(" + std::to_string(examples) + ", 4), self.w) + self.b\n");
}

std::vector<double> losses_of_steps(const Loss& loss, const Dataset& data, std::int64_t examples) {
  auto options = plain_options(loss);
  options.batch_size = 16;
  options.epochs = 3;
  std::vector<double> losses;
  TrainCallbacks callbacks;
  callbacks.on_step = [&](const Progress& progress) { losses.push_back(progress.loss); };
  auto student = make_linear_of(examples, 1);
  train(student, make_linear_of(examples, 2), data, no_ramp(), kIgnoreBlend, options, callbacks);
  return losses;
}

TEST(Trainer, AStepOfSeveralFixedBatchesIsThatOfOneLargeBatch) {
  const auto data = std::make_shared<TensorDataset>(regression(40));
  for (const auto signal : {Signal::mse, Signal::distil_mse, Signal::distil}) {
    const auto at_once = losses_of_steps(signal, FixedBatches(data, 16), 16);
    ASSERT_EQ(at_once.size(), 6U);
    for (const std::int64_t examples : {1, 2, 8}) {
      const auto found = losses_of_steps(signal, FixedBatches(data, examples), examples);
      ASSERT_EQ(found.size(), at_once.size());
      for (std::size_t i = 0; i < found.size(); ++i) {
        EXPECT_NEAR(found[i], at_once[i], 1e-4 * at_once[0])
            << to_string(signal) << " " << examples;
      }
    }
  }
}

TEST(Trainer, ABatchSizeHasToConsistOfFixedBatches) {
  const FixedBatches data(std::make_shared<TensorDataset>(regression(40)), 3);
  auto module = make_linear(4, 3);
  auto options = plain_options(Signal::mse);
  options.batch_size = 16;
  EXPECT_NE(usage_error([&] {
              train(module, {}, data, no_ramp(), kIgnoreBlend, options);
            }).find("multiple of 3"),
            std::string::npos);
}

TEST(Trainer, TiedParametersAreSteppedOnce) {
  const auto shared = torch::tensor({2.0F}).set_requires_grad(true);
  torch::jit::Module module("__torch__.top");
  for (const auto* name : {"a", "b"}) {
    torch::jit::Module part("__torch__." + std::string(name), module._ivalue()->compilation_unit());
    part.register_parameter("w", shared, false);
    part.define("def forward(self, x):\n  return x * self.w\n");
    module.register_module(name, part);
  }
  module.define("def forward(self, x):\n  return self.b.forward(self.a.forward(x))\n");
  ASSERT_EQ(module.parameters().size(), 2U);
  // y = w^2 x, loss y^2 for x = 1: dL/dw = 4 w^3 = 32, and one step at the rate 0.1 / 32 takes 0.1.
  auto options = plain_options(Signal::mse);
  options.learning_rate = 0.1 / 32.0;
  train(module, {}, TensorDataset({torch::ones({1, 1})}, torch::zeros({1, 1})), no_ramp(),
        kIgnoreBlend, options);
  EXPECT_NEAR(shared.item<double>(), 1.9, 1e-6);
}

// Mean 1 and deviation 2 in every batch, 0 and 1 in the running statistics, which are what the
// outputs are made with where they are kept.
TEST(Trainer, KeepsTheStatisticsOfBatchNormsWhereAsked) {
  for (const bool keeps : {false, true}) {
    torch::jit::Module norm("__torch__.norm");
    norm.register_attribute("training", c10::BoolType::get(), true);
    norm.register_parameter("weight", torch::ones({3}).set_requires_grad(true), false);
    norm.register_parameter("bias", torch::zeros({3}).set_requires_grad(true), false);
    norm.register_buffer("running_mean", torch::zeros({3}));
    norm.register_buffer("running_var", torch::ones({3}));
    norm.define(
        "def forward(self, x):\n"
        "  return torch.batch_norm(x, self.weight, self.bias, self.running_mean, "
        "self.running_var, self.training, 0.1, 1e-5, False)\n");
    torch::jit::Module module("__torch__.around", norm._ivalue()->compilation_unit());
    module.register_attribute("training", c10::BoolType::get(), true);
    module.register_module("norm", norm);
    module.define("def forward(self, x):\n  return self.norm.forward(x)\n");
    auto options = plain_options(Signal::mse);
    options.keeps_statistics = keeps;
    double loss = 0.0;
    TrainCallbacks callbacks;
    callbacks.on_step = [&](const Progress& progress) { loss = progress.loss; };
    const auto x = torch::tensor({-1.0F, 3.0F}).reshape({2, 1}).expand({2, 3}).contiguous();
    train(module, {}, TensorDataset({x}, torch::zeros({2, 3})), no_ramp(), kIgnoreBlend, options,
          callbacks);
    EXPECT_NEAR(loss, keeps ? (1.0 + 9.0) / 2.0 : 1.0, 1e-3);
    EXPECT_EQ(norm.attr("running_mean").toTensor().eq(0.0).all().item<bool>(), keeps);
    EXPECT_FALSE(module.is_training());
    EXPECT_FALSE(norm.is_training());
  }
}

TEST(Trainer, MovesTBeforeEveryStepAndEndsAtOne) {
  auto module = make_linear(4, 3);
  auto options = plain_options(Signal::mse);
  options.epochs = 2.5;
  options.batch_size = 8;
  const auto schedule = Schedule::cosine({.begin = 0.25, .end = 2.0});
  std::vector<double> seen;
  std::vector<Progress> steps;
  TrainCallbacks callbacks;
  callbacks.on_step = [&](const Progress& progress) { steps.push_back(progress); };
  const auto records = train(
      module, {}, regression(35), schedule, [&](double t) { seen.push_back(t); }, options,
      callbacks);
  ASSERT_EQ(steps.size(), 10U);  // 4 full batches an epoch, what is left over is left out
  ASSERT_EQ(seen.size(), 11U);
  for (std::size_t i = 0; i < seen.size(); ++i) {
    EXPECT_DOUBLE_EQ(seen[i], schedule.at(static_cast<double>(i) / 4.0)) << i;
  }
  EXPECT_EQ(seen.front(), 0.0);
  EXPECT_EQ(seen.back(), 1.0);
  for (std::size_t i = 0; i < steps.size(); ++i) {
    EXPECT_EQ(steps[i].step, static_cast<std::int64_t>(i) + 1);
    EXPECT_EQ(steps[i].total_steps, 10);
    EXPECT_EQ(steps[i].t, seen[i]);
    EXPECT_DOUBLE_EQ(steps[i].epoch, static_cast<double>(i + 1) / 4.0);
    EXPECT_EQ(steps[i].learning_rate, learning_rate_at(static_cast<std::int64_t>(i), 10, options));
  }
  ASSERT_EQ(records.size(), 3U);
  EXPECT_EQ(records[0].epoch, 1);
  EXPECT_EQ(records[0].step, 4);
  EXPECT_DOUBLE_EQ(records[0].t, schedule.at(1.0));
  EXPECT_NEAR(records[0].mean_loss,
              (steps[0].loss + steps[1].loss + steps[2].loss + steps[3].loss) / 4.0, 1e-12);
  EXPECT_EQ(records[2].step, 10);
  EXPECT_EQ(records[2].t, 1.0);
}

TEST(Trainer, TheForwardSeesEveryT) {
  auto module = make_module({{"w", torch::ones({1})}}, "  return x * self.w * 0.0 + self.t\n");
  auto options = plain_options(Signal::mse);
  options.epochs = 20;
  std::vector<Progress> steps;
  TrainCallbacks callbacks;
  callbacks.on_step = [&](const Progress& progress) { steps.push_back(progress); };
  train(
      module, {}, TensorDataset({torch::ones({2, 1})}, torch::zeros({2, 1})),
      Schedule::linear({.end = 16.0}), [&](double t) { module.setattr("t", t); }, options,
      callbacks);
  ASSERT_EQ(steps.size(), 20U);
  for (const auto& step : steps) {
    EXPECT_NEAR(step.loss, step.t * step.t, 1e-6);
  }
  EXPECT_EQ(module.attr("t").toDouble(), 1.0);
}

TEST(Trainer, AScheduleInStepsIsTakenInSteps) {
  auto module = make_linear(4, 3);
  auto options = plain_options(Signal::mse);
  options.epochs = 2;
  options.batch_size = 8;
  std::vector<double> seen;
  train(
      module, {}, regression(24), Schedule::linear({.end = 4.0, .unit = ScheduleUnit::steps}),
      [&](double t) { seen.push_back(t); }, options);
  ASSERT_EQ(seen.size(), 7U);
  for (std::size_t i = 0; i < seen.size(); ++i) {
    EXPECT_NEAR(seen[i], std::min(1.0, static_cast<double>(i) / 4.0), 1e-12);
  }
  EXPECT_EQ(seen.back(), 1.0);
}

TEST(Trainer, ARampLongerThanTheRunIsRefused) {
  auto module = make_linear(4, 3);
  auto options = plain_options(Signal::mse);
  options.epochs = 2;
  const auto run = [&](const ScheduleOptions& ramp) {
    return usage_error(
        [&] { train(module, {}, regression(24), Schedule::linear(ramp), kIgnoreBlend, options); });
  };
  EXPECT_EQ(
      run({.end = 3.5}),
      "Expected a schedule that ends within the training of 2 epochs, but it reaches t = 1 at "
      "epoch 3.5; train for longer or end the ramp earlier");
  EXPECT_NE(run({.end = 1.5, .hold = 1.0}).find("holds it until 2.5"), std::string::npos);
  EXPECT_EQ(run({.end = 2.0}), "");
}

TEST(Trainer, SameSeedSameParametersBitForBit) {
  const auto data = regression(64);
  const auto run = [&](std::uint64_t seed) {
    auto module = make_dropout_net();
    auto options = plain_options(Signal::mse);
    options.optimizer = OptimizerKind::adamw;
    options.learning_rate = 0.01;
    options.epochs = 5;
    options.batch_size = 8;
    options.seed = seed;
    torch::manual_seed(std::random_device()());  // what was before must not matter
    train(module, {}, data, no_ramp(), kIgnoreBlend, options);
    return std::vector<torch::Tensor>{module.attr("w").toTensor(), module.attr("v").toTensor()};
  };
  const auto first = run(3);
  const auto second = run(3);
  const auto other = run(4);
  EXPECT_TRUE(first[0].equal(second[0]) && first[1].equal(second[1]));
  EXPECT_FALSE(first[0].equal(other[0]));
}

TEST(Trainer, TrainsInTrainModeAndLeavesEvalMode) {
  auto module = make_module({{"w", torch::ones({1})}},
                            "  if self.training:\n    return x * self.w\n"
                            "  return x * self.w * 0.0 + 100.0\n");
  auto teacher = make_module({{"w", torch::ones({1})}},
                             "  if self.training:\n    return x * 0.0 + 100.0\n  return x * 0.0\n");
  module.eval();
  double loss = -1.0;
  TrainCallbacks callbacks;
  callbacks.on_step = [&](const Progress& progress) { loss = progress.loss; };
  train(module, teacher, TensorDataset({torch::ones({2, 1})}, {}), no_ramp(), kIgnoreBlend,
        plain_options(Signal::distil_mse), callbacks);
  EXPECT_NEAR(loss, 1.0, 1e-6);
  EXPECT_FALSE(module.is_training());
}

TEST(Trainer, TheTeacherStaysAsItIs) {
  auto module = make_linear(4, 3, 1);
  auto teacher = make_linear(4, 3, 2);
  const auto before = teacher.attr("w").toTensor().clone();
  train(module, teacher, regression(16), no_ramp(), kIgnoreBlend, plain_options(Signal::distil));
  EXPECT_TRUE(teacher.attr("w").toTensor().equal(before));
  EXPECT_FALSE(teacher.attr("w").toTensor().grad().defined());
}

TEST(Trainer, ParametersWithoutGradientStay) {
  auto module = make_linear(4, 3);
  module.attr("b").toTensor().set_requires_grad(false);
  const auto w = module.attr("w").toTensor().clone();
  const auto b = module.attr("b").toTensor().clone();
  train(module, {}, regression(16), no_ramp(), kIgnoreBlend, plain_options(Signal::mse));
  EXPECT_FALSE(module.attr("w").toTensor().equal(w));
  EXPECT_TRUE(module.attr("b").toTensor().equal(b));
}

TEST(Trainer, ModelsWithoutParametersAreRefused) {
  auto module = make_linear(4, 3);
  module.eval();
  auto frozen = torch::jit::freeze(module);
  const auto text = usage_error([&] {
    train(frozen, {}, regression(16), no_ramp(), kIgnoreBlend, plain_options(Signal::mse));
  });
  EXPECT_NE(text.find("no trainable parameters"), std::string::npos) << text;
}

TEST(Trainer, AnOutputWithoutGradientIsRefused) {
  auto module = make_module({{"w", torch::ones({1})}}, "  return x * 2.0\n");
  const auto text = usage_error([&] {
    train(module, {}, regression(16, 3, 3), no_ramp(), kIgnoreBlend, plain_options(Signal::mse));
  });
  EXPECT_NE(text.find("does not depend on any trainable"), std::string::npos) << text;
}

TEST(Trainer, WeightDecayLeavesBiasesAlone) {
  auto module = make_module({{"w", torch::ones({4, 3})}, {"b", torch::ones({3})}},
                            "  return (torch.matmul(x, self.w) + self.b) * 0.0\n");
  auto options = plain_options(Signal::mse);
  options.optimizer = OptimizerKind::adamw;
  options.weight_decay = 0.5;
  train(module, {}, regression(16), no_ramp(), kIgnoreBlend, options);
  EXPECT_TRUE(module.attr("w").toTensor().allclose(torch::full({4, 3}, 0.95)));
  EXPECT_TRUE(module.attr("b").toTensor().equal(torch::ones({3})));
}

TEST(Trainer, ClipsTheGradientsNorm) {
  auto module = make_identity();
  auto options = plain_options(Signal::mse);
  options.clip_norm = 0.5;
  train(module, {}, TensorDataset({torch::full({2, 1}, 100.0)}, torch::zeros({2, 1})), no_ramp(),
        kIgnoreBlend, options);
  EXPECT_NEAR(module.attr("w").toTensor().item<double>(), 1.0 - 0.1 * 0.5, 1e-5);
}

TEST(Trainer, StopsWhenAsked) {
  auto module = make_linear(4, 3);
  auto options = plain_options(Signal::mse);
  options.epochs = 3;
  options.batch_size = 8;
  int asked = 0;
  int steps = 0;
  TrainCallbacks callbacks;
  callbacks.should_stop = [&] { return ++asked > 4; };
  callbacks.on_step = [&](const Progress&) { ++steps; };
  try {
    train(module, {}, regression(24), no_ramp(), kIgnoreBlend, options, callbacks);
    FAIL() << "not interrupted";
  } catch (const Interrupted& error) {
    EXPECT_STREQ(error.what(), "Training was stopped after 4 of 9 steps");
  }
  EXPECT_EQ(steps, 4);
  EXPECT_FALSE(module.is_training());
}

// exp(30 w x): a step at this rate, and it overflows.
TEST(Trainer, ALossThatIsNotFiniteEndsTheRun) {
  auto module = make_module({{"w", torch::ones({1})}}, "  return torch.exp(x * self.w * 30.0)\n");
  auto options = plain_options(Signal::mse);
  options.epochs = 3;
  const auto text = diverged([&] {
    train(module, {}, TensorDataset({torch::ones({8, 1})}, torch::full({8, 1}, 1e14)), no_ramp(),
          kIgnoreBlend, options);
  });
  EXPECT_NE(text.find("at step 2 of 3: the loss is inf"), std::string::npos) << text;
  EXPECT_NE(text.find("learning rate 0.075"), std::string::npos) << text;
}

// No learning rate is at fault there.
TEST(Trainer, ALossThatIsNotFiniteBeforeTheFirstStepIsTheDatas) {
  auto module = make_linear(4, 3);
  const auto nan = torch::full({8, 4}, std::numeric_limits<float>::quiet_NaN());
  const auto text = usage_error([&] {
    train(module, {}, TensorDataset({nan}, torch::zeros({8, 3})), no_ramp(), kIgnoreBlend,
          plain_options(Signal::mse));
  });
  EXPECT_NE(text.find("finite loss before the first step"), std::string::npos) << text;
  EXPECT_FALSE(module.is_training());
}

TEST(Trainer, ALastStepThatSpoilsTheParametersIsNoticed) {
  // sqrt at 0 has an infinite slope: the loss is 0, the gradient 0 * inf.
  auto module = make_module({{"w", torch::zeros({1})}}, "  return torch.sqrt(x * self.w)\n");
  const auto text = diverged([&] {
    train(module, {}, TensorDataset({torch::ones({2, 1})}, torch::zeros({2, 1})), no_ramp(),
          kIgnoreBlend, plain_options(Signal::mse));
  });
  EXPECT_NE(text.find("no longer finite"), std::string::npos) << text;
}

// Batches of a data set that takes its time.
struct Slow : Dataset {
  std::chrono::milliseconds time;
  explicit Slow(std::chrono::milliseconds each) : time(each) {}
  std::int64_t size() const override { return 64; }
  Example get(std::span<const std::int64_t> indices) const override {
    std::this_thread::sleep_for(time);
    const auto count = static_cast<std::int64_t>(indices.size());
    return {{torch::ones({count, 4})}, {torch::ones({count, 3})}};
  }
};

TEST(Trainer, SaysHowLongItWaitedForData) {
  const auto run = [](std::chrono::milliseconds data, std::chrono::milliseconds step) {
    auto module = make_linear(4, 3);
    auto options = plain_options(Signal::mse);
    options.batch_size = 8;
    TrainCallbacks callbacks;
    callbacks.on_step = [&](const Progress&) { std::this_thread::sleep_for(step); };
    return train(module, {}, Slow(data), no_ramp(), kIgnoreBlend, options, callbacks)[0];
  };
  using std::chrono::milliseconds;
  // Eight batches; while a step runs the next is made, so that only the first is waited for.
  const auto prefetched = run(milliseconds(10), milliseconds(40));
  EXPECT_GE(prefetched.waited, 0.010);
  EXPECT_LT(prefetched.waited, 0.5 * prefetched.seconds);
  EXPECT_GE(run(milliseconds(40), milliseconds(0)).waited, 0.2);
}

TEST(Trainer, AFractionOfAStepIsOneStep) {
  auto module = make_linear(4, 3);
  auto options = plain_options(Signal::mse);
  options.epochs = 1e-6;
  const auto records = train(module, {}, regression(16), no_ramp(), kIgnoreBlend, options);
  ASSERT_EQ(records.size(), 1U);
  EXPECT_EQ(records[0].step, 1);
}

TEST(Trainer, WorksWhereGradientsAreOff) {
  const torch::NoGradGuard without_gradients;
  auto module = make_linear(4, 3);
  const auto before = module.attr("w").toTensor().clone();
  train(module, {}, regression(16), no_ramp(), kIgnoreBlend, plain_options(Signal::mse));
  EXPECT_FALSE(module.attr("w").toTensor().equal(before));
}

}  // namespace
}  // namespace actswap
