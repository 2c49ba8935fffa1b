// A training that explodes gives no model; one that is only poor does.
#include <gtest/gtest.h>

#include <cmath>

#include "train/modules.h"

namespace actswap {
namespace {

// Like a blend: at t = 1 the function is another.
torch::jit::Module network(std::uint64_t seed = 1) {
  torch::manual_seed(seed);
  return make_module({{"w1", torch::randn({6, 16}) / 2.5}, {"w2", torch::randn({16, 4}) / 4.0}},
                     "  y = torch.matmul(x, self.w1)\n"
                     "  if self.t < 1.0:\n"
                     "    y = torch.gelu(y) * (1.0 - self.t) + torch.relu(y) * self.t\n"
                     "  else:\n"
                     "    y = torch.relu(y)\n"
                     "  return torch.matmul(y, self.w2)\n");
}

TensorDataset data(std::int64_t examples = 64) {
  torch::manual_seed(2);
  return TensorDataset({torch::randn({examples, 6})}, torch::randint(0, 4, {examples}));
}

struct Setting {
  Loss loss = Signal::distil;
  Schedule schedule = no_ramp();
  double rate = 1e6;
  double average = 0.0;
  Keep keep = Keep::last;
};

void run(const Setting& setting) {
  auto module = network();
  auto options = plain_options(setting.loss);
  options.optimizer = OptimizerKind::adamw;
  options.learning_rate = setting.rate;
  options.batch_size = 16;
  options.epochs = 5;
  options.average = setting.average;
  options.keep = setting.keep;
  TrainCallbacks callbacks;
  int checks = 0;
  callbacks.check = [&] { return Check{1.0, static_cast<double>(--checks)}; };
  train(
      module, network(), data(), setting.schedule, [&](double t) { module.setattr("t", t); },
      options, callbacks);
}

TEST(Divergence, AnExplodedTrainingGivesNoModel) {
  const auto ramp = Schedule::linear({.begin = 0.0, .end = 2.0});
  const std::vector<Setting> settings = {
      {},
      {.schedule = ramp},
      {.loss = Signal::distil_mse, .schedule = ramp},
      {.loss = Signal::cross_entropy, .schedule = ramp},
      {.loss = parse_loss("distil+0.5*cross-entropy"), .schedule = ramp},
      {.schedule = ramp, .average = 0.5},
      {.schedule = ramp, .keep = Keep::best},
      {.loss = Signal::distil_cosine, .schedule = ramp},  // is never above 2
      {.loss = Signal::distil_cosine},
      {.loss = Signal::distil_mse, .schedule = ramp, .rate = 30.0},
  };
  for (std::size_t i = 0; i < settings.size(); ++i) {
    const auto text = diverged([&] { run(settings[i]); });
    EXPECT_NE(text.find("Training diverged at step 20 of 20"), std::string::npos) << i << text;
    EXPECT_NE(text.find("64 training examples"), std::string::npos) << i << text;
    EXPECT_NE(text.find("at the learning rate"), std::string::npos) << i << text;
  }
}

TEST(Divergence, SaysInWhichStepItBegan) {
  const auto text = diverged([] { run({.loss = Signal::distil_mse}); });
  EXPECT_NE(text.find("in step 2"), std::string::npos) << text;
}

// Labels by chance, a rate that is too high to gain, one that is too low: no model is better than
// it was, and none has exploded.
TEST(Divergence, APoorTrainingIsNoDivergence) {
  const auto ramp = Schedule::linear({.begin = 0.0, .end = 2.0});
  const std::vector<Setting> settings = {
      {.loss = Signal::cross_entropy, .rate = 0.1},
      {.loss = Signal::cross_entropy, .schedule = ramp, .rate = 0.1},
      {.schedule = ramp, .rate = 0.05},
      {.loss = Signal::distil_mse, .schedule = ramp, .rate = 1e-9},
      {.loss = Signal::distil_cosine, .schedule = ramp, .rate = 0.1},
  };
  for (const auto& setting : settings) {
    EXPECT_NO_THROW(run(setting)) << to_string(setting.loss);
  }
}

// The outputs are nearly the same for all inputs, and near 0: the swap alone is many times farther
// from the original than zeros are, and so is a training that came half the way back.
TEST(Divergence, WhatIsBetterThanTheSwapHasNotDiverged) {
  const auto make = [] {
    return make_module({{"w", torch::ones({1})}}, "  return x * 1e-3 + self.t * self.w\n");
  };
  auto module = make();
  auto options = plain_options(Signal::distil_mse);
  options.epochs = 5;
  options.learning_rate = 0.05;
  torch::manual_seed(2);
  EXPECT_NO_THROW(train(
      module, make(), TensorDataset({torch::randn({32, 4})}, {}),
      Schedule::linear({.begin = 0.0, .end = 2.0}), [&](double t) { module.setattr("t", t); },
      options));
  const double w = module.attr("w").toTensor().item<double>();
  EXPECT_LT(w, 0.95);
  EXPECT_GT(w, 0.1);
  EXPECT_EQ(module.attr("t").toDouble(), 1.0);
}

TEST(Divergence, AnEmptyDataSetIsRefused) {
  auto module = network();
  const auto text = usage_error([&] {
    train(module, network(), TensorDataset({torch::zeros({0, 6})}, {}), no_ramp(), {},
          plain_options(Signal::distil));
  });
  EXPECT_NE(text.find("at least one example"), std::string::npos) << text;
}

// In eval mode it gives something else, which the loss does not take: there is nothing to compare
// with, and the training goes on.
TEST(Divergence, AModelThatOnlyTrainsInTrainMode) {
  auto module = make_module({{"w", torch::ones({3, 3})}},
                            "  y = torch.matmul(x, self.w)\n"
                            "  if not self.training:\n"
                            "    y = y.sum()\n"
                            "  return y\n");
  torch::manual_seed(2);
  const auto records = train(
      module, {}, TensorDataset({torch::randn({8, 3})}, torch::zeros({8, 3})), no_ramp(),
      [](double) {}, plain_options(Signal::mse));
  EXPECT_EQ(records.size(), 1U);
}

// Memory that runs out is told as such, with how much was asked for.
TEST(Divergence, MemoryThatRunsOutIsNoMistakeOfTheModel) {
  auto module = make_module({{"w", torch::ones({3})}},
                            "  return (x * self.w).expand(1 << 40, 1024, 3) + x\n");
  try {
    train(
        module, {}, TensorDataset({torch::ones({1, 3})}, torch::zeros({1, 3})), no_ramp(),
        [](double) {}, plain_options(Signal::mse));
    FAIL() << "there was memory enough";
  } catch (const FileError& error) {
    const std::string text = error.what();
    EXPECT_NE(text.find("ran out of memory (tried to allocate "), std::string::npos) << text;
    EXPECT_EQ(text.find("enforce fail"), std::string::npos) << text;
  }
}

// The original's own training is stopped as well: the control's.
TEST(Divergence, TheControlToo) {
  auto control = network();
  auto options = plain_options(Signal::distil);
  options.optimizer = OptimizerKind::adamw;
  options.learning_rate = 1e6;
  options.epochs = 5;
  const auto text =
      diverged([&] { train(control, network(), data(), no_ramp(), [](double) {}, options); });
  EXPECT_NE(text.find("Training diverged"), std::string::npos) << text;
}

}  // namespace
}  // namespace actswap
