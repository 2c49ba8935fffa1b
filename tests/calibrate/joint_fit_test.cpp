#include <actswap/base/error.h>
#include <actswap/calibrate/calibrate.h>
#include <actswap/calibrate/fitted_tensors.h>
#include <actswap/calibrate/joint_error.h>
#include <actswap/data/dataset.h>
#include <actswap/graph/blend.h>
#include <actswap/graph/eval_mode.h>
#include <actswap/graph/retarget.h>

#include <torch/script.h>
#include <torch/utils.h>

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <set>
#include <span>
#include <string>
#include <utility>
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
  EXPECT_EQ(with.result.joint.planned, 40);
  EXPECT_GT(with.result.joint.rate, 0.0);
  EXPECT_LT(with.result.joint.error_after, 0.95 * with.result.joint.error_before);
  EXPECT_LT(with.error, without.error);
  EXPECT_TRUE(with.result.left_out.empty());
}

// What the clock had room for is in the record, and repeats the fit.
TEST(JointFit, ByDefaultASmallModelIsGivenTwentyPasses) {
  const auto module = network(kTwoLayers);
  const auto found = calibrated(module, batches(1), {});
  EXPECT_EQ(found.result.joint.planned, 20);
  EXPECT_EQ(found.error, calibrated(module, batches(1), found.result.joint.planned).error);
}

// The same inputs and passes: the same parameters, bit for bit.
TEST(JointFit, RepeatsItself) {
  const auto module = network(kTwoLayers);
  EXPECT_EQ(calibrated(module, batches(1), 3).error, calibrated(module, batches(1), 3).error);
}

// What is fitted to inputs of one kind may be wrong for those held out, which are the last.
TEST(JointFit, NeverLeavesInputsHeldOutFarther) {
  const auto module = network(kTwoLayers);
  auto inputs = batches(1);
  inputs.back()[0] = inputs.back()[0] * 0.05 - 2.0;
  const auto without = calibrated(module, inputs, 0);
  const auto with = calibrated(module, inputs, 20);
  EXPECT_LE(with.result.joint.error_after, with.result.joint.error_before);
  if (with.result.joint.error_after == with.result.joint.error_before) {
    EXPECT_EQ(with.error, without.error);
  }
  Calibration nothing_gained;
  nothing_gained.joint = {.passes = 4, .error_before = 0.1, .error_after = 0.1};
  EXPECT_NE(summary(nothing_gained).find("together gained nothing"), std::string::npos);
  // What did not happen is not counted.
  EXPECT_EQ(summary({}), "nothing to fit");
  EXPECT_EQ(summary({.layers = {{}}}), "1 layer fitted");
}

// Un-normalised, deep, and wide enough that a step of each weight by a share of its size adds up
// over hundreds of inputs: a rate for small networks makes it worse.
torch::jit::Module deep_network(double scale, torch::ScalarType type) {
  torch::jit::Module module("deep");
  module.register_attribute("training", c10::BoolType::get(), true);
  torch::manual_seed(8);
  std::string body;
  for (int i = 0; i < 6; ++i) {
    const auto n = std::to_string(i);
    const auto factor = i % 2 == 0 ? scale : 1.0 / scale;
    module.register_parameter("w" + n, (factor * 0.09 * torch::randn({128, 128})).to(type), false);
    module.register_parameter("b" + n, (factor * torch::randn({128})).to(type), false);
    body += "    x = x + torch.gelu(torch.linear(x, self.w" + n + ", self.b" + n + "))\n";
  }
  module.register_parameter("w", torch::randn({4, 128}).to(type), false);
  module.define("def forward(self, x):\n" + body + "    return torch.linear(x, self.w)\n");
  return module;
}

TEST(JointFit, NeverDiverges) {
  torch::manual_seed(3);
  Batches inputs;
  for (int i = 0; i < 6; ++i) {
    inputs.push_back({torch::randn({32, 128})});
  }
  for (const auto& [scale, type] :
       {std::pair{1.0, torch::kFloat}, std::pair{8.0, torch::kFloat},
        std::pair{1.0, torch::kBFloat16}, std::pair{2.0, torch::kHalf}}) {
    auto typed = inputs;
    for (auto& batch : typed) {
      batch[0] = batch[0].to(type);
    }
    const auto model = adopt(deep_network(scale, type));
    Retargeter swap(model, plan(model, {.to = "relu"}));
    const auto joint = calibrate(swap.module(), typed, {.passes = 3}).joint;
    EXPECT_EQ(joint.reason, "");
    EXPECT_GT(joint.error_before, 0.0);
    EXPECT_LE(joint.error_after, joint.error_before) << scale << " " << type;
    EXPECT_GT(joint.rate, 0.0) << scale << " " << type;
    for (const auto& parameter : swap.module().parameters()) {
      EXPECT_TRUE(torch::isfinite(parameter).all().item<bool>()) << scale << " " << type;
    }
  }
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

// Inputs that only passes draw, far beyond all others, or no numbers: what was reached is kept.
TEST(JointFit, KeepsTheBestWhereItBlowsUp) {
  for (const double value : {1e6, std::numeric_limits<double>::quiet_NaN()}) {
    torch::manual_seed(1);
    auto inputs = torch::randn({2000, 6});
    const auto order = shuffled_indices(2000, 7, 0);
    for (std::size_t i = 1000; i < 2000; ++i) {
      inputs[order[i]].fill_(value);
    }
    const auto model = adopt(network(kTwoLayers));
    Retargeter swap(model, plan(model, {.to = "relu"}));
    const auto found = calibrate(
        swap, TensorDataset({inputs}, {}),
        {.inputs = 128, .batch_size = 32, .passes = 40, .draws_each_pass = true}, /*seed=*/7);
    EXPECT_LT(found.joint.error_after, found.joint.error_before);
    EXPECT_TRUE(std::isfinite(error_on_others(swap, model)));
  }
}

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
  ASSERT_EQ(fitted_to.size(), static_cast<std::size_t>(drawn.result.joint.passes) * 96U)
      << "three batches of four";
  EXPECT_EQ(drawn.result.inputs, 128);
  ASSERT_GE(drawn.result.joint.passes, 21) << "so that all have their turn";
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
  const auto& joint = found.result.joint;
  EXPECT_NEAR(found.result.learning_rate,
              0.4 * joint.rate * std::sqrt(joint.error_after / joint.error_before) * size, 1e-7);
  EXPECT_EQ(calibrated(module, batches(1), 0).result.learning_rate, 0.0) << "not asked for";
}

TEST(JointFit, OneBatchLeavesNothingToHoldOut) {
  EXPECT_EQ(calibrated(network(kTwoLayers), batches(1, 1), 20).result.joint.error_before, 0.0);
}

Calibration calibrated_in(double minutes, const CalibrationCallbacks& callbacks = {}) {
  const auto model = adopt(network(kTwoLayers));
  Retargeter swap(model, plan(model, {.to = "relu"}));
  return calibrate(swap.module(), batches(1), {.minutes = minutes}, callbacks);
}

TEST(JointFit, EndsWhenTheTimeIsUp) {
  EXPECT_EQ(calibrated_in(0.0).joint.error_before, 0.0) << "none";
  std::int64_t planned = 0;
  double seconds = 0.0;
  const auto found =
      calibrated_in(0.1, {.on_joint_fit = [&](std::int64_t passes, double of_passes) {
                      planned = passes;
                      seconds = of_passes;
                    }});
  EXPECT_GT(found.joint.passes, 0);
  EXPECT_EQ(found.joint.planned, planned);
  EXPECT_GT(seconds, 0.0);
  EXPECT_LT(seconds, 6.0);
  EXPECT_LT(found.seconds, 12.0);
  EXPECT_LT(found.joint.error_after, found.joint.error_before);
  EXPECT_THROW(calibrated_in(-1.0), UsageError);
  EXPECT_THROW(calibrated_in(std::numeric_limits<double>::quiet_NaN()), UsageError);
}

TEST(JointFit, SaysWhereNotOnePassFits) {
  const auto found = calibrated_in(1e-7);
  EXPECT_EQ(found.joint.passes, 0);
  EXPECT_EQ(found.joint.reason, "") << "solving took longer: nothing began";
  ASSERT_EQ(found.left_out.size(), 1U);
  EXPECT_TRUE(found.left_out[0].starts_with("all layers together: solving took"))
      << found.left_out[0];
  EXPECT_EQ(summary(found).find("left out"), std::string::npos) << "it is no layer";
  EXPECT_TRUE(calibrated_in(0.0).left_out.empty()) << "as asked for";
}

TEST(JointFit, CanBeInterrupted) {
  bool is_fitting = false;
  const CalibrationCallbacks callbacks = {
      .should_stop = [&] { return is_fitting; },
      .on_pass = [&](std::size_t done, std::size_t) { is_fitting = done == 1; }};
  EXPECT_THROW(calibrated_in(1.0, callbacks), Interrupted);
}

/// Two layers with ReLU, to make JointErrors of.
struct Swapped {
  Model model = adopt(network(kTwoLayers));
  Retargeter swap{model, plan(model, {.to = "relu"})};
  EvalMode eval{swap.module()};
  Program program{swap.module()};
  Neighbourhood neighbours = find_neighbours(program);

  Swapped() {
    for_each_blend(swap.module(), [](torch::jit::Module& blend) { blend.setattr("t", 1.0); });
    torch::manual_seed(1);
  }
  JointError error(const Batches& batches, std::int64_t memory) {
    return {program, neighbours, batches, nullptr, FittedTensors(neighbours).tensors(), memory};
  }
};

// Batches are split where the gradient of one takes more than is granted, of which 64 MB always
// are: six times the 12 bytes of an example's outputs.
TEST(JointFit, KeepsToItsMemory) {
  Swapped swapped;
  const auto input = torch::randn({1'000'000, 6});
  const Batches inputs = {{input}, {input}};
  const auto parts_in = [&](std::int64_t memory) {
    auto error = swapped.error(inputs, memory);
    int parts = 0;
    double sum = 0.0;
    error.for_each_part(0, /*of_stream=*/false, [&](const torch::Tensor& part) {
      ++parts;
      sum += part.item<double>();
    });
    EXPECT_NEAR(sum, error.held_out(), 1e-6) << "the same inputs";
    return parts;
  };
  EXPECT_EQ(parts_in(std::int64_t{1} << 30), 1);
  EXPECT_EQ(parts_in(0), 2);
}

// One example has neither mean nor deviation: several such batches are compared as one.
TEST(JointFit, AStepTakesSeveralBatchesOfFewExamples) {
  Swapped swapped;
  const auto inputs = torch::randn({18, 6});
  const auto error_of_first = [&](const Batches& batches, std::int64_t steps) {
    auto error = swapped.error(batches, std::int64_t{1} << 30);
    EXPECT_EQ(error.steps_of_a_pass(), steps);
    EXPECT_GT(error.inputs_of(steps), 0);
    double sum = 0.0;
    error.for_each_part(0, /*of_stream=*/false,
                        [&](const torch::Tensor& part) { sum += part.item<double>(); });
    return sum;
  };
  Batches single;
  for (std::int64_t i = 0; i < 18; ++i) {
    single.push_back({inputs.narrow(0, i, 1)});
  }
  // One is held out, and 17 are shared out among steps of 8 at most: 6, 6 and 5.
  const auto found = error_of_first(single, 3);
  EXPECT_GT(found, 0.0);
  EXPECT_NEAR(found, error_of_first({{inputs.narrow(0, 0, 6)}, {inputs.narrow(0, 6, 12)}}, 1),
              1e-6 * found);
}

}  // namespace
}  // namespace actswap
