// Steps against torch::optim's.
#include <gtest/gtest.h>
#include <torch/optim/adamw.h>
#include <torch/optim/sgd.h>

#include "train/modules.h"

namespace actswap {
namespace {

/// A matrix, one with gaps in memory, a kernel that is channels-last, a vector, one without
/// gradient.
torch::jit::Module make_layouts() {
  torch::manual_seed(8);
  torch::jit::Module module("__torch__.layouts");
  module.register_attribute("training", c10::BoolType::get(), true);
  const auto add = [&](const char* name, const torch::Tensor& value) {
    module.register_parameter(name, value.detach().set_requires_grad(true), false);
  };
  add("w", torch::randn({4, 6}));
  add("gaps", torch::randn({6, 8}).slice(1, 0, 3));
  add("kernel", torch::randn({2, 3, 2, 2}).contiguous(at::MemoryFormat::ChannelsLast));
  add("b", torch::randn({3}));
  add("unused", torch::randn({3}));
  module.define(
      "def forward(self, x):\n"
      "  y = torch.matmul(torch.tanh(torch.matmul(x, self.w)), self.gaps) + self.b\n"
      "  image = y.reshape(-1, 3, 1, 1).expand(-1, 3, 2, 2)\n"
      "  return torch.conv2d(image, self.kernel).flatten(1)\n");
  return module;
}

// AdamW's first step goes as far as the rate is, in each element.
TEST(Optimizer, ARelativeRateIsAShareOfTheParametersSize) {
  torch::manual_seed(9);
  auto module = make_module({{"w", 50.0 * torch::randn({4, 3})}, {"b", torch::zeros({3})}},
                            "  return torch.matmul(x, self.w) + self.b\n");
  const auto w = module.attr("w").toTensor().detach().clone();
  auto options = plain_options(Signal::mse);
  options.optimizer = OptimizerKind::adamw;
  options.learning_rate = 0.01;
  options.is_rate_relative = true;
  train(
      module, {}, TensorDataset({torch::randn({32, 4})}, torch::randn({32, 3})), no_ramp(),
      [](double) {}, options);
  const auto size = w.square().mean().sqrt();
  const auto moved = (module.attr("w").toTensor().detach() - w).abs();
  EXPECT_TRUE(moved.allclose((0.01 * size).expand_as(moved), 1e-2)) << moved;
  const auto b = module.attr("b").toTensor().detach().abs();
  EXPECT_TRUE(b.allclose(torch::full({3}, 1e-5), 1e-2)) << "of what is 0 it is that of 1e-3";
}

template <typename Make>
void expect_like(const TrainOptions& options, Make make) {
  torch::manual_seed(9);
  const auto x = torch::randn({12, 4});
  const auto target = torch::randn({12, 2});
  auto ours = make_layouts();
  train(ours, {}, TensorDataset({x}, target), no_ramp(), [](double) {}, options);

  auto theirs = make_layouts();
  std::vector<torch::Tensor> decayed;
  std::vector<torch::Tensor> plain;
  for (const auto& parameter : theirs.parameters()) {
    (parameter.dim() > 1 ? decayed : plain).push_back(parameter);
  }
  auto with_decay = make(options.weight_decay, decayed);
  auto without = make(0.0, plain);
  const auto steps = static_cast<std::int64_t>(options.epochs);
  for (std::int64_t step = 0; step < steps; ++step) {
    for (auto* optimizer : {with_decay.get(), without.get()}) {
      optimizer->zero_grad();
      optimizer->param_groups()[0].options().set_lr(learning_rate_at(step, steps, options));
    }
    torch::mse_loss(theirs.forward({x}).toTensor(), target).backward();
    with_decay->step();
    without->step();
  }
  const auto before = make_layouts();
  for (const auto& entry : theirs.named_parameters()) {
    const auto mine = ours.attr(entry.name).toTensor();
    EXPECT_TRUE(mine.allclose(entry.value, 1e-4, 1e-6))
        << entry.name << " " << (mine - entry.value).abs().max();
    EXPECT_EQ(mine.equal(before.attr(entry.name).toTensor()), entry.name == "unused");
  }
}

TEST(Optimizer, AdamWIsTorchs) {
  auto options = plain_options(Signal::mse);
  options.optimizer = OptimizerKind::adamw;
  options.learning_rate = 0.05;
  options.weight_decay = 0.1;
  options.epochs = 12;
  expect_like(options, [](double decay, const std::vector<torch::Tensor>& parameters) {
    return std::make_unique<torch::optim::AdamW>(
        parameters, torch::optim::AdamWOptions(0.05).weight_decay(decay));
  });
}

TEST(Optimizer, SgdIsTorchs) {
  for (const double momentum : {0.0, 0.9}) {
    auto options = plain_options(Signal::mse);
    options.momentum = momentum;
    options.learning_rate = 0.02;
    options.weight_decay = 0.1;
    options.epochs = 12;
    expect_like(options, [&](double decay, const std::vector<torch::Tensor>& parameters) {
      return std::make_unique<torch::optim::SGD>(
          parameters, torch::optim::SGDOptions(0.02).momentum(momentum).weight_decay(decay));
    });
  }
}

}  // namespace
}  // namespace actswap
