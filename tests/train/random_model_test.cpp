// Trainings whose models draw random numbers, take gradients and count their calls.
#include <gtest/gtest.h>

#include "train/modules.h"

namespace actswap {
namespace {

torch::jit::Module make_counting(const std::string& forward) {
  torch::jit::Module module("__torch__.m");
  module.register_attribute("training", c10::BoolType::get(), true);
  module.register_buffer("calls", torch::zeros({1}));
  module.register_parameter("w", torch::full({3}, 0.5).set_requires_grad(true), false);
  module.define("def forward(self, x):\n  self.calls.add_(1.0)\n" + forward);
  return module;
}

float calls_of(const torch::jit::Module& module) {
  return module.attr("calls").toTensor().item<float>();
}

// An original that is the model itself teaches nothing where both draw the same noise. In the next
// step they draw other noise, so that nobody learns one sample of it.
TEST(RandomModels, TheOriginalDrawsWhatTheModelDraws) {
  auto module = make_counting("  return x * self.w + torch.randn_like(x)\n");
  auto original = make_counting("  return x * self.w + torch.randn_like(x)\n");
  const TensorDataset data({torch::randn({8, 3})}, {});
  auto options = plain_options(Signal::distil_mse);
  options.batch_size = 2;
  const auto epochs = train(module, original, data, no_ramp(), {}, options);
  EXPECT_EQ(epochs.at(0).mean_loss, 0.0);
  EXPECT_EQ(calls_of(original), 0.0F) << "running the original leaves no trace in it";
  EXPECT_EQ(calls_of(module), 4.0F) << "a step of the training is a call";

  // The same noise against none: its mean square over all 24 numbers, which is near 1 where each
  // step draws its own.
  auto plain = make_counting("  return x * self.w\n");
  options.learning_rate = 1e-12;
  const auto noise = train(module, plain, data, no_ramp(), {}, options).at(0).mean_loss;
  torch::manual_seed(options.seed);
  double expected = 0.0;
  for (int step = 0; step < 4; ++step) {
    expected += torch::randn({2, 3}).square().mean().item<double>() / 4.0;
  }
  EXPECT_NEAR(noise, expected, 1e-5);
}

// d/dx of sum x^2 w: the original runs with gradients although nothing of it is trained.
TEST(RandomModels, AnOriginalThatTakesGradientsIsRunWithThem) {
  const std::string code =
      "  x = x.detach().requires_grad_(True)\n"
      "  g = torch.grad([(x * x * self.w).sum()], [x], create_graph=True)[0]\n"
      "  assert g is not None\n"
      "  return g\n";
  auto module = make_counting(code);
  auto original = make_counting(code);
  {
    const torch::NoGradGuard no_grad;
    module.attr("w").toTensor().fill_(0.25);
  }
  auto options = plain_options(Signal::distil_mse);
  options.epochs = 40;
  const auto epochs =
      train(module, original, TensorDataset({torch::ones({4, 3})}, {}), no_ramp(), {}, options);
  // (2 * 0.25 - 2 * 0.5)^2
  EXPECT_NEAR(epochs.front().mean_loss, 0.25, 1e-6);
  EXPECT_LT(epochs.back().mean_loss, 1e-3);
  EXPECT_FALSE(original.attr("w").toTensor().grad().defined());
}

}  // namespace
}  // namespace actswap
