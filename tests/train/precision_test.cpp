// Training of parameters that are not float32, not real, not dense, or empty.
#include <actswap/optim/stepped_parameter.h>

#include <gtest/gtest.h>

#include <cmath>

#include "train/modules.h"

namespace actswap {
namespace {

TrainOptions adamw(double rate, double epochs) {
  auto options = plain_options(Signal::mse);
  options.optimizer = OptimizerKind::adamw;
  options.learning_rate = rate;
  options.epochs = epochs;
  return options;
}

// Of y = x w against a target, after training in this type, computed in float32.
double loss_after(torch::ScalarType type, const TrainOptions& options) {
  torch::manual_seed(3);
  const auto x = torch::randn({256, 6}).to(type);
  const auto target = 1e-2 * torch::randn({6, 4});
  const auto start = torch::zeros({6, 4});
  auto module = make_module({{"w", start.to(type)}}, "  return torch.matmul(x, self.w)\n");
  const auto y = torch::matmul(x.to(torch::kFloat32), target);
  train(module, {}, TensorDataset({x}, y), no_ramp(), kIgnoreBlend, options);
  const auto w = module.attr("w").toTensor();
  EXPECT_EQ(w.scalar_type(), type);
  return torch::mse_loss(torch::matmul(x.to(torch::kFloat32), w.detach().to(torch::kFloat32)), y)
      .item<double>();
}

// Gradients are some 1e-5 there at the end, and their squares below what half can hold.
TEST(Precision, ReducedOnesLearnWhatTheirRoundingAllows) {
  const auto options = adamw(1e-3, 200.0);
  const double wide = loss_after(torch::kFloat32, options);
  const double start = 1e-4 * 6.0;  // the variance of y
  EXPECT_LT(wide, 1e-3 * start);
  // Weights of 1e-2 are rounded by 2^-12 of themselves in half, by 2^-9 in bfloat16.
  EXPECT_LT(loss_after(torch::kHalf, options), wide + 1e-6 * start);
  EXPECT_LT(loss_after(torch::kBFloat16, options), wide + 1e-4 * start);
  EXPECT_NEAR(loss_after(torch::kFloat64, options), wide, 1e-4 * start);
}

// The last place of half at 1 is 1e-3: a step of 1e-5 alone leaves nothing.
TEST(Precision, StepsBelowTheLastPlaceAddUp) {
  for (const auto kind : {OptimizerKind::adamw, OptimizerKind::sgd}) {
    auto module = make_module({{"w", torch::ones({4}, torch::kHalf)}}, "  return x * self.w\n");
    auto options = adamw(1e-5, 1000.0);
    options.optimizer = kind;
    train(module, {}, TensorDataset({torch::ones({2, 4}, torch::kHalf)}, torch::zeros({2, 4})),
          no_ramp(), kIgnoreBlend, options);
    const double w = module.attr("w").toTensor().to(torch::kDouble).mean().item<double>();
    // Half a cosine: half of the steps' sum; of SGD times the gradient, 0.5.
    EXPECT_NEAR(w, kind == OptimizerKind::adamw ? 0.995 : 0.9975, 5e-4);
  }
}

// d loss / d y is 8e-9: half's least number is 6e-8.
TEST(Precision, AGradientThatUnderflowsIsScaled) {
  auto module = make_module({{"w", torch::ones({1}, torch::kHalf)}}, "  return x * self.w\n");
  const auto x = torch::ones({64, 4096}, torch::kHalf);
  train(module, {}, TensorDataset({x}, torch::full({64, 4096}, 0.999)), no_ramp(), kIgnoreBlend,
        adamw(0.01, 1.0));
  EXPECT_NEAR(module.attr("w").toTensor().item<double>(), 0.99, 1e-3);
}

// Nor does what overflows with a scale end the training, or cost a step.
TEST(Precision, AScaledGradientThatOverflowsIsTakenAgain) {
  auto module = make_module({{"w", torch::ones({1}, torch::kHalf)}}, "  return x * self.w\n");
  auto options = plain_options(Signal::mse);
  options.learning_rate = 1e-5;
  train(module, {}, TensorDataset({torch::full({2, 1}, 100.0, torch::kHalf)}, torch::zeros({2, 1})),
        no_ramp(), kIgnoreBlend, options);
  EXPECT_NEAR(module.attr("w").toTensor().item<double>(), 1.0 - 1e-5 * 2.0 * 1e4, 1e-3);
}

TEST(Precision, TheScaleFallsAndRises) {
  LossScale scale(true);
  const double first = scale.value();
  EXPECT_TRUE(scale.shrink());
  EXPECT_EQ(scale.value(), first / 2.0);
  for (int i = 0; i < 2000; ++i) {
    scale.note_step();
  }
  EXPECT_EQ(scale.value(), first);
  int shrunk = 0;
  while (scale.shrink()) {
    ++shrunk;
  }
  EXPECT_GT(shrunk, 16);
  EXPECT_LT(shrunk, 64);
  LossScale none(false);
  EXPECT_FALSE(none.shrink());
  none.note_step();
  EXPECT_EQ(none.value(), 1.0);
}

// What others write to the parameter between two steps, a ramp or a check, is not undone.
TEST(Precision, TheMasterFollowsTheParameter) {
  const torch::NoGradGuard no_grad;
  auto w = torch::ones({3}, torch::kHalf);
  SteppedParameter stepped(w);
  stepped.tensor().add_(1e-5);
  stepped.write_back();
  EXPECT_TRUE(torch::equal(w, torch::ones({3}, torch::kHalf)));
  w.add_(1.0);
  EXPECT_TRUE(torch::allclose(stepped.tensor(), torch::full({3}, 2.00001), 0.0, 1e-7));
  w.fill_(5.0);
  stepped.tensor().add_(1.0);
  stepped.write_back();
  EXPECT_TRUE(torch::equal(w, torch::full({3}, 6.0, torch::kHalf)));
}

// As the same numbers in a real parameter of pairs.
TEST(Precision, AComplexParameterIsTrained) {
  for (const auto kind : {OptimizerKind::adamw, OptimizerKind::sgd}) {
    torch::manual_seed(4);
    const auto pairs = torch::randn({5, 2});
    const auto x = torch::randn({32, 8});
    const auto y = torch::randn({32, 8});
    auto complex = make_module({{"w", torch::view_as_complex(pairs.clone())}},
                               "  return torch.fft_irfft(torch.fft_rfft(x) * self.w, 8)\n");
    auto real = make_module(
        {{"w", pairs}},
        "  return torch.fft_irfft(torch.fft_rfft(x) * torch.view_as_complex(self.w), 8)\n");
    auto options = adamw(0.01, 10.0);
    options.optimizer = kind;
    options.average = 0.9;
    for (auto* module : {&complex, &real}) {
      train(*module, {}, TensorDataset({x}, y), no_ramp(), kIgnoreBlend, options);
    }
    const auto found = torch::view_as_real(complex.attr("w").toTensor().detach());
    EXPECT_TRUE(torch::allclose(found, real.attr("w").toTensor().detach(), 1e-4, 1e-6));
    EXPECT_FALSE(torch::allclose(found, pairs, 1e-4, 1e-4));
  }
}

// torch.nn.Embedding(sparse=True) has a sparse gradient.
TEST(Precision, ASparseGradientIsTrainedLikeADenseOne) {
  torch::manual_seed(4);
  const auto table = torch::randn({10, 3});
  const auto x = torch::randint(0, 10, {32});
  const auto y = torch::randn({32, 3});
  std::vector<torch::Tensor> found;
  for (const char* sparse : {"True", "False"}) {
    auto module =
        make_module({{"w", table}}, std::string("  return torch.embedding(self.w, x, -1, False, ") +
                                        sparse + ")\n");
    auto options = adamw(0.01, 5.0);
    options.clip_norm = 0.05;
    train(module, {}, TensorDataset({x}, y), no_ramp(), kIgnoreBlend, options);
    found.push_back(module.attr("w").toTensor().detach());
  }
  EXPECT_TRUE(torch::allclose(found[0], found[1], 1e-5, 1e-6));
  EXPECT_FALSE(torch::allclose(found[0], table));
}

TEST(Precision, AnEmptyParameterDoesNoHarm) {
  for (const auto kind : {OptimizerKind::adamw, OptimizerKind::sgd}) {
    auto module = make_module({{"w", torch::ones({1})}, {"none", torch::zeros({0, 4})}},
                              "  return x * self.w + self.none.sum()\n");
    auto options = adamw(0.1, 2.0);
    options.optimizer = kind;
    options.clip_norm = 1.0;
    train(module, {}, TensorDataset({torch::ones({4, 1})}, torch::zeros({4, 1})), no_ramp(),
          kIgnoreBlend, options);
    EXPECT_LT(module.attr("w").toTensor().item<double>(), 1.0);
  }
}

TEST(Precision, WhatCannotBeSteppedIsRefusedByName) {
  auto module = make_module({{"w", torch::ones({1})}}, "  return x * self.w\n");
  module.register_parameter("table", torch::eye(3).to_sparse().requires_grad_(), false);
  const auto text = usage_error([&] {
    train(module, {}, TensorDataset({torch::ones({4, 1})}, torch::zeros({4, 1})), no_ramp(),
          kIgnoreBlend, plain_options(Signal::mse));
  });
  EXPECT_NE(text.find("'table'"), std::string::npos) << text;
}

// Masks put infinities where the original has the same; they do not count.
TEST(Precision, MaskedOutputsAreTrained) {
  const auto masked = [](double w) {
    return make_module({{"w", torch::full({3, 4}, w)}},
                       "  y = torch.matmul(x, self.w) * torch.tensor([1.0, 2.0, 3.0, 4.0])\n"
                       "  mask = torch.tensor([False, False, True, False])\n"
                       "  return torch.masked_fill(y, mask, -float('inf'))\n");
  };
  torch::manual_seed(4);
  const TensorDataset data({torch::randn({16, 3})}, {});
  for (const Loss& loss : {Loss(Signal::distil), Loss(Signal::distil_mse)}) {
    auto module = masked(0.5);
    auto options = plain_options(loss);
    options.epochs = 3;
    const auto records = train(module, masked(1.0), data, no_ramp(), kIgnoreBlend, options);
    EXPECT_TRUE(std::isfinite(records[0].mean_loss)) << to_string(loss);
    EXPECT_LT(records[2].mean_loss, records[0].mean_loss) << to_string(loss);
  }
}

}  // namespace
}  // namespace actswap
