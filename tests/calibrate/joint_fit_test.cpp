#include <actswap/calibrate/calibrate.h>
#include <actswap/calibrate/joint_fit.h>
#include <actswap/data/dataset.h>
#include <actswap/graph/eval_mode.h>
#include <actswap/graph/retarget.h>

#include <torch/torch.h>

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <set>
#include <span>
#include <vector>

#include "models.h"

namespace actswap {
namespace {

using Batches = std::vector<std::vector<torch::Tensor>>;

// Two layers with a GELU between them, whose first has to turn, not to be shifted only.
torch::jit::Module network(const std::string& body, bool requires_gradient = true) {
  torch::jit::Module module("network");
  module.register_attribute("training", c10::BoolType::get(), true);
  torch::manual_seed(5);
  module.register_parameter("w1", 0.4 * torch::randn({12, 6}), false);
  module.register_parameter("b1", torch::randn({12}), false);
  module.register_parameter("w2", torch::randn({3, 12}), false);
  module.register_parameter("b2", torch::zeros({3}), false);
  module.register_parameter("w3", torch::randn({12, 12}), false);
  for (const auto& parameter : module.parameters()) {
    parameter.set_requires_grad(requires_gradient);
  }
  module.define("def forward(self, x):\n" + body);
  return module;
}

constexpr const char* kTwoLayers =
    "    y = torch.gelu(torch.linear(x, self.w1, self.b1))\n"
    "    return torch.linear(y, self.w2, self.b2)\n";

Batches batches(std::uint64_t seed, std::int64_t count = 32) {
  torch::manual_seed(seed);
  Batches found;
  for (std::int64_t i = 0; i < count; ++i) {
    found.push_back({torch::randn({32, 6})});
  }
  return found;
}

struct Calibrated {
  Retargeter swap;
  Calibration result;
  double error;  // mean square on other inputs
};

double error_on_others(Retargeter& swap, const Model& model) {
  const auto unseen = batches(2, 1)[0];
  return torch::mse_loss(outputs_of(swap.module(), unseen).at(0),
                         outputs_of(model.module, unseen).at(0))
      .item<double>();
}

Calibrated calibrated(const torch::jit::Module& module, const Batches& inputs,
                      std::optional<std::int64_t> passes) {
  const auto model = adopt(module);
  Retargeter swap(model, plan(model, {.to = "relu"}));
  CalibrationOptions options;
  options.passes = passes;
  auto result = calibrate(swap.module(), inputs, options);
  const double error = error_on_others(swap, model);
  return {std::move(swap), std::move(result), error};
}

TEST(JointFit, IsNearerOnOtherInputsThanLayerAfterLayer) {
  const auto module = network(kTwoLayers);
  const auto without = calibrated(module, batches(1), 0);
  const auto with = calibrated(module, batches(1), 40);
  EXPECT_EQ(without.result.joint.passes, 0);
  EXPECT_EQ(with.result.joint.passes, 40);
  EXPECT_LT(with.result.joint.error_after, 0.95 * with.result.joint.error_before);
  EXPECT_LT(with.error, without.error);
  EXPECT_TRUE(with.result.left_out.empty());
}

TEST(JointFit, ByDefaultItIsDoneForASmallModel) {
  EXPECT_EQ(calibrated(network(kTwoLayers), batches(1), {}).result.joint.passes, 20);
}

// The same inputs and passes: the same parameters, bit for bit.
TEST(JointFit, RepeatsItself) {
  const auto module = network(kTwoLayers);
  EXPECT_EQ(calibrated(module, batches(1), 3).error, calibrated(module, batches(1), 3).error);
}

// What is fitted to inputs of one kind is wrong for those held out, which are the last.
TEST(JointFit, IsTakenBackWhereInputsHeldOutAreFarther) {
  const auto module = network(kTwoLayers);
  auto inputs = batches(1);
  inputs.back()[0] = inputs.back()[0] * 0.05 - 2.0;
  const auto without = calibrated(module, inputs, 0);
  const auto with = calibrated(module, inputs, 20);
  EXPECT_EQ(with.result.joint.passes, 0);
  EXPECT_GE(with.result.joint.error_after, with.result.joint.error_before);
  EXPECT_NE(summary(with.result).find("together taken back"), std::string::npos);
  EXPECT_EQ(with.error, without.error);
}

// The gradient of sigmoid needs its output, which is written over.
TEST(JointFit, IsLeftOutWithoutAGradient) {
  const auto module = network(
      "    y = torch.gelu(torch.linear(x, self.w1, self.b1))\n"
      "    y = torch.sigmoid(torch.linear(y, self.w3))\n"
      "    z = y.mul_(y)\n"
      "    return torch.linear(z, self.w2, self.b2)\n");
  const auto without = calibrated(module, batches(1), 0);
  const auto with = calibrated(module, batches(1), 3);
  EXPECT_EQ(with.result.joint.passes, 0);
  EXPECT_NE(with.result.joint.reason.find("gradient"), std::string::npos)
      << with.result.joint.reason;
  EXPECT_EQ(with.result.left_out.size(), 1U);
  EXPECT_EQ(with.error, without.error);
}

// Notes what is asked for.
class WatchedData : public Dataset {
 public:
  explicit WatchedData(std::int64_t count) {
    torch::manual_seed(1);
    inputs_ = torch::randn({count, 6});
  }
  std::int64_t size() const override { return inputs_.size(0); }
  Example get(std::span<const std::int64_t> indices) const override {
    const std::vector<std::int64_t> chosen(indices.begin(), indices.end());
    asked.insert(asked.end(), chosen.begin(), chosen.end());
    return {{inputs_.index_select(0, torch::tensor(chosen))}, {}};
  }
  mutable std::vector<std::int64_t> asked;

 private:
  torch::Tensor inputs_;
};

Calibrated calibrated_on(const Dataset& data, bool draws_each_pass) {
  const auto model = adopt(network(kTwoLayers));
  Retargeter swap(model, plan(model, {.to = "relu"}));
  const CalibrationOptions options{
      .inputs = 128, .batch_size = 32, .passes = 40, .draws_each_pass = draws_each_pass};
  auto result = calibrate(swap, data, options, /*seed=*/7);
  const double error = error_on_others(swap, model);
  return {std::move(swap), std::move(result), error};
}

TEST(JointFit, DrawsOtherInputsInEachPass) {
  const WatchedData data(2000);
  const auto drawn = calibrated_on(data, true);
  const std::vector<std::int64_t> given(data.asked.begin(), data.asked.begin() + 128);
  const std::vector<std::int64_t> fitted_to(data.asked.begin() + 128, data.asked.end());
  ASSERT_EQ(fitted_to.size(), 40U * 96U) << "three batches of four";
  EXPECT_EQ(drawn.result.inputs, 128);
  EXPECT_EQ(drawn.result.joint.passes, 40);
  EXPECT_EQ(drawn.result.joint.inputs, 2000 - 32);
  EXPECT_TRUE(std::equal(given.begin(), given.begin() + 96, fitted_to.begin()));
  EXPECT_EQ(std::set<std::int64_t>(fitted_to.begin(), fitted_to.begin() + 1968).size(), 1968U);
  for (auto held_out = given.begin() + 96; held_out != given.end(); ++held_out) {
    EXPECT_EQ(std::count(fitted_to.begin(), fitted_to.end(), *held_out), 0) << *held_out;
  }
  const auto once = calibrated_on(data, false);
  EXPECT_EQ(once.result.joint.inputs, 96);
  EXPECT_LT(drawn.result.joint.error_after, once.result.joint.error_after);
  EXPECT_LT(drawn.error, 0.9 * once.error) << "of what is not seen, more is learnt from more";
}

TEST(JointFit, OfDataThatIsUsedUpThereAreNoOthers) {
  const WatchedData data(100);
  const auto drawn = calibrated_on(data, true);
  EXPECT_EQ(data.asked.size(), 100U);
  EXPECT_EQ(drawn.result.joint.inputs, 75) << "three even batches of four";
  EXPECT_EQ(drawn.error, calibrated_on(data, false).error);
}

// Whoever trains on finds what was frozen frozen, and no gradients of ours.
TEST(JointFit, LeavesGradientsAlone) {
  for (const bool requires_gradient : {true, false}) {
    const auto found = calibrated(network(kTwoLayers, requires_gradient), batches(1), 2);
    EXPECT_EQ(found.result.joint.passes, 2);
    for (const auto& parameter : found.swap.module().parameters()) {
      EXPECT_EQ(parameter.requires_grad(), requires_gradient);
      EXPECT_FALSE(parameter.grad().defined());
    }
  }
}

TEST(JointFit, FindsTheRateOfATrainingByWhatIsLeft) {
  const auto module = network(kTwoLayers);
  const auto found = calibrated(module, batches(1), 20);
  // Of two weights the larger is the middle one.
  double size = 0.0;
  for (const char* name : {"w1", "w2"}) {
    const auto weight = found.swap.module().attr(name).toTensor();
    size = std::max(size, weight.square().mean().sqrt().item<double>());
  }
  EXPECT_NEAR(found.result.learning_rate, 0.04 * std::sqrt(found.result.joint.error_after) * size,
              1e-7);
  EXPECT_EQ(calibrated(module, batches(1), 0).result.learning_rate, 0.0) << "not asked for";
}

// Only the second layer is behind the activation: 12 products and sums for each of its 3 outputs,
// for the original, the model, and both gradients.
TEST(JointFit, CountsTheOperationsOfAPass) {
  const auto model = adopt(network(kTwoLayers));
  Retargeter swap(model, plan(model, {.to = "relu"}));
  const EvalMode eval(swap.module());
  Program program(swap.module());
  const auto neighbours = find_neighbours(program);
  const auto inputs = batches(1);
  JointFit fit(program, neighbours, inputs, nullptr, 0);
  EXPECT_TRUE(fit.is_possible());
  EXPECT_EQ(fit.operations_of_a_pass(), 4.0 * 2.0 * 12.0 * 3.0 * 32.0 * 32.0);
  const Batches one = batches(1, 1);
  EXPECT_FALSE(JointFit(program, neighbours, one, nullptr, 0).is_possible())
      << "nothing to hold out";
}

}  // namespace
}  // namespace actswap
