// A retargeted model with fewer units: which ones go, and how near the rest comes to the original.
#include <actswap/base/error.h>
#include <actswap/calibrate/calibrated_ramp.h>
#include <actswap/data/dataset.h>
#include <actswap/graph/plan.h>
#include <actswap/graph/retarget.h>
#include <actswap/measure/latency.h>
#include <actswap/prune/fading.h>
#include <actswap/prune/prune.h>

#include <torch/script.h>
#include <torch/utils.h>

#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "calibrate/written.h"
#include "models.h"

namespace actswap {
namespace {

constexpr char kPerceptron[] =
    "    y = torch.mish(torch.linear(x, self.w1, self.b1))\n"
    "    z = torch.mish(torch.linear(y, self.w2, self.b2))\n"
    "    return torch.linear(z, self.w3, self.b3)\n";
const Shapes kPerceptronShapes = {{"w1", {32, 12}}, {"b1", {32}},    {"w2", {24, 32}},
                                  {"b2", {24}},     {"w3", {5, 24}}, {"b3", {5}}};

constexpr char kConvolutions[] =
    "    y = torch.silu(torch.conv2d(x, self.w1, self.b1, [1, 1], [1, 1]))\n"
    "    z = torch.silu(torch.conv2d(y, self.w2, self.b2, [1, 1], [1, 1]))\n"
    "    u = y + torch.conv2d(z, self.w3, self.b3, [1, 1], [1, 1])\n"
    "    return torch.linear(torch.silu(u).mean([2, 3]), self.w4, self.b4)\n";
const Shapes kConvolutionShapes = {
    {"w1", {8, 3, 3, 3}},  {"b1", {8}}, {"w2", {16, 8, 3, 3}}, {"b2", {16}},
    {"w3", {8, 16, 3, 3}}, {"b3", {8}}, {"w4", {4, 8}},        {"b4", {4}}};

std::shared_ptr<TensorDataset> data_of(std::vector<std::int64_t> shape, std::int64_t seed = 3) {
  torch::manual_seed(seed);
  return std::make_shared<TensorDataset>(std::vector<torch::Tensor>{torch::randn(shape)},
                                         torch::Tensor());
}

struct Case {
  Model model;
  std::shared_ptr<TensorDataset> data;
  bool keeps_activations = false;

  Plan the_plan() const { return keeps_activations ? keep_activations(model) : plan(model, {}); }

  Retargeter swap(bool is_calibrated = true) const {
    Retargeter swap(model, the_plan(), Tensors::copied, BlendCode::fused, keeps_activations);
    if (is_calibrated && !keeps_activations) {
      calibrate(swap, *data, {.passes = 5});
    }
    return swap;
  }

  /// |y - y0|^2 / |y0 - mean|^2 on other inputs.
  double error(Retargeter& swap) const {
    auto shape = data->inputs().front().sizes().vec();
    const auto inputs = data_of(shape, 4)->inputs();
    swap.set_blend(1.0);
    swap.module().eval();
    const auto wanted = outputs_of(model.module, inputs)[0];
    const auto found = outputs_of(swap.module(), inputs)[0];
    return ((found - wanted).square().sum() / (wanted - wanted.mean(0)).square().sum())
        .item<double>();
  }
};

Case perceptron(bool keeps_activations = false) {
  return {adopt(written("Perceptron", kPerceptronShapes, kPerceptron)), data_of({512, 12}),
          keeps_activations};
}

Case convolutions() {
  return {adopt(written("Convolutions", kConvolutionShapes, kConvolutions)),
          data_of({96, 3, 10, 10})};
}

PruneOptions by_share(double share) {
  return {.budget = {.value = share}, .calibration = {.passes = 5}};
}

torch::Tensor tensor(Retargeter& swap, const std::string& name) {
  return swap.module().attr(name).toTensor();
}

TEST(Prune, RemovesAShareOfTheMultiplications) {
  for (const auto& each : {perceptron(), convolutions()}) {
    auto swap = each.swap();
    const double before = each.error(swap);
    const auto pruning = prune(swap, *each.data, by_share(0.3));
    EXPECT_LE(pruning.after.multiplications, 0.71 * pruning.before.multiplications);
    EXPECT_GT(pruning.after.multiplications, 0.55 * pruning.before.multiplications);
    EXPECT_EQ(static_cast<double>(parameter_count(swap.module())), pruning.after.parameters);
    EXPECT_LT(each.error(swap), std::max(0.1, 4.0 * before));
    for (const auto& group : pruning.groups) {
      EXPECT_TRUE(group.is_exact);
      EXPECT_LE(group.after, group.before);
      EXPECT_GE(group.after, 1);
    }
    EXPECT_GT(pruning.refit.layers.size(), 0U);
    // What is exported gives the same.
    const auto inputs = each.data->inputs();
    EXPECT_LT(
        largest_difference(outputs_of(swap.finish(), inputs), outputs_of(swap.module(), inputs)),
        1e-5);
  }
}

TEST(Prune, LeavesTheBuffersThatTheCodeWritesTo) {
  const auto code =
      "    self.seen.add_(1.0)\n    self.mean.mul_(0.9).add_(x.mean(0), alpha=0.1)\n" +
      std::string(kPerceptron);
  const Case each = {
      adopt(written("Counting", kPerceptronShapes, code, "x", {}, {{"seen", {1}}, {"mean", {12}}})),
      data_of({512, 12}), true};
  auto swap = each.swap();
  prune(swap, *each.data, by_share(0.3));
  EXPECT_EQ(tensor(swap, "seen").item<float>(), 0.0F);
  EXPECT_EQ(tensor(swap, "mean").abs().max().item<float>(), 0.0F);
}

// Random weights are the hardest there are: least squares leave far less than magnitude.
TEST(Prune, IsNearerToTheOriginalThanWithoutLeastSquares) {
  const auto each = perceptron();
  auto swap = each.swap();
  const auto units = find_units(swap.module(), each.data->inputs());
  prune(swap, *each.data, by_share(0.4));
  const double error = each.error(swap);

  auto by_magnitude = each.swap();
  auto keep = keep_all(units);
  for (std::size_t g = 0; g < units.groups.size(); ++g) {
    const auto weight = tensor(by_magnitude, g == 0 ? "w2" : "w3").norm(2, 0);
    const auto order = weight.argsort();
    for (std::int64_t i = 0; i < units.groups[g].count * 4 / 10; ++i) {
      keep[g][static_cast<std::size_t>(order[i].item<std::int64_t>())] = false;
    }
  }
  by_magnitude.replace(cut(by_magnitude.module(), units, keep));
  EXPECT_LT(error, 0.5 * each.error(by_magnitude));
}

TEST(Prune, PrunesAloneWhereActivationsAreKept) {
  const auto each = perceptron(true);
  auto swap = each.swap();
  const auto pruning = prune(swap, *each.data, by_share(0.3));
  EXPECT_LT(pruning.after.multiplications, 0.75 * pruning.before.multiplications);
  EXPECT_GT(pruning.refit.layers.size(), 0U);
  EXPECT_LT(each.error(swap), 0.1);
  EXPECT_EQ(find_sites(adopt(swap.finish())).front().activation.to_string(), "mish");
}

// Half of the units of a ReLU network are 0 for all inputs.
TEST(Prune, DeadUnitsGoAtNoLoss) {
  auto each = perceptron(true);
  auto module = written("Relus", kPerceptronShapes,
                        "    y = torch.relu(torch.linear(x, self.w1, self.b1))\n"
                        "    z = torch.relu(torch.linear(y, self.w2, self.b2))\n"
                        "    return torch.linear(z, self.w3, self.b3)\n");
  const torch::NoGradGuard no_grad;
  module.attr("w1").toTensor().narrow(0, 0, 16).zero_();
  module.attr("b1").toTensor().narrow(0, 0, 16).fill_(-1.0);
  each.model = adopt(module);
  auto swap = each.swap();
  auto options = by_share(0.05);
  options.calibration.passes = 0;
  const auto pruning = prune(swap, *each.data, options);
  ASSERT_FALSE(pruning.groups.empty());
  EXPECT_EQ(pruning.groups[0].dead, 16);
  EXPECT_EQ(pruning.groups[0].after, 16);
  EXPECT_EQ(pruning.groups[0].loss, 0.0);
  EXPECT_EQ(tensor(swap, "w2").size(1), 16);
  EXPECT_LT(each.error(swap), 1e-8);
}

// Those whose inputs have no weight are the same number for all inputs.
TEST(Prune, BiasesTakeOverWhatNeverChanges) {
  auto each = perceptron(true);
  auto module = written("Constants", kPerceptronShapes, kPerceptron);
  const torch::NoGradGuard no_grad;
  module.attr("w1").toTensor().narrow(0, 0, 16).zero_();
  module.attr("b1").toTensor().narrow(0, 0, 16).fill_(2.0);
  each.model = adopt(module);
  auto swap = each.swap();
  auto options = by_share(0.05);
  options.calibration.passes = 0;
  const auto pruning = prune(swap, *each.data, options);
  EXPECT_EQ(pruning.groups.at(0).constant, 16);
  EXPECT_EQ(pruning.groups.at(0).after, 16);
  EXPECT_LT(each.error(swap), 1e-8);
}

// The attribute named bias belongs to another layer than the one whose bias takes over.
TEST(Prune, BiasesAreThoseThatTheCodeReads) {
  const auto module = written(
      "Names", {{"bias", {8}}, {"w1", {8, 12}}, {"w2", {8, 8}}, {"b2", {8}}, {"w3", {5, 8}}},
      "    y = torch.relu(torch.linear(x, self.w1, self.bias))\n"
      "    z = torch.tanh(torch.linear(y, self.w2, self.b2))\n"
      "    return torch.linear(z, self.w3)\n");
  const torch::NoGradGuard no_grad;
  module.attr("w1").toTensor().narrow(0, 0, 3).zero_();
  module.attr("bias").toTensor().narrow(0, 0, 3).fill_(2.0);
  const Case each = {adopt(module), data_of({96, 12}), /*keeps_activations=*/true};
  auto swap = each.swap();
  auto options = by_share(0.05);
  options.calibration.passes = 0;
  const auto pruning = prune(swap, *each.data, options);
  EXPECT_EQ(pruning.groups.at(0).constant, 3);
  EXPECT_EQ(pruning.groups.at(0).after, 5);
  EXPECT_LT(each.error(swap), 1e-8);
}

TEST(Prune, KeepsLayersThatAreAskedFor) {
  const auto each = perceptron();
  auto swap = each.swap(false);
  auto options = by_share(0.3);
  options.keep = {"w1"};
  const auto pruning = prune(swap, *each.data, options);
  EXPECT_EQ(tensor(swap, "w1").size(0), 32);
  ASSERT_EQ(pruning.groups.size(), 1U);
  EXPECT_TRUE(std::ranges::any_of(pruning.stayed, [](const Unprunable& stayed) {
    return stayed.name == "w1" && stayed.reason.find("--prune-keep") != std::string::npos;
  }));
}

TEST(Prune, KeepsMultiples) {
  const auto each = perceptron();
  auto swap = each.swap(false);
  auto options = by_share(0.4);
  options.round = 8;
  prune(swap, *each.data, options);
  EXPECT_EQ(tensor(swap, "w1").size(0) % 8, 0);
  EXPECT_EQ(tensor(swap, "w2").size(0) % 8, 0);
}

// As few units go as the number takes: with one more of the group that gave the last, it is above.
TEST(Prune, GoesDownToANumberOfParameters) {
  const auto each = perceptron();
  auto swap = each.swap(false);
  const auto parameters = [](std::int64_t first, std::int64_t second) {
    return 12 * first + first + first * second + second + 5 * second + 5;
  };
  ASSERT_EQ(parameter_count(swap.module()), parameters(32, 24));
  auto options = by_share(0.5);
  options.budget = PruneBudget::parse("0.8k");
  const auto pruning = prune(swap, *each.data, options);
  ASSERT_EQ(pruning.groups.size(), 2U);
  const auto first = pruning.groups[0].after;
  const auto second = pruning.groups[1].after;
  EXPECT_EQ(parameter_count(swap.module()), parameters(first, second));
  EXPECT_EQ(pruning.after.parameters, static_cast<double>(parameters(first, second)));
  EXPECT_EQ(pruning.before.parameters, static_cast<double>(parameters(32, 24)));
  EXPECT_LE(parameters(first, second), 800);
  EXPECT_GT(std::max(parameters(first + 1, second), parameters(first, second + 1)), 800);
  EXPECT_EQ(parameter_count(adopt(swap.finish()).module), parameters(first, second));
}

// Wide enough that its layers are what takes the time.
TEST(Prune, GoesDownToALatency) {
  const Case each = {adopt(written("Wide",
                                   {{"w1", {512, 64}},
                                    {"b1", {512}},
                                    {"w2", {512, 512}},
                                    {"b2", {512}},
                                    {"w3", {8, 512}},
                                    {"b3", {8}}},
                                   kPerceptron)),
                     data_of({256, 64})};
  auto swap = each.swap(false);
  swap.set_blend(1.0);
  const auto before = swap.finish();
  auto options = by_share(0.5);
  options.budget = PruneBudget::parse("0.5x");
  options.calibration.passes = 0;
  options.latency_inputs = data_of({512, 64})->inputs();
  const auto pruning = prune(swap, *each.data, options);
  const auto times = measure_latency({before, swap.finish()}, options.latency_inputs,
                                     RuntimeSetting::plain, {.rounds = 60});
  const double ratio = times[1].minimum_ms / times[0].minimum_ms;
  EXPECT_LT(ratio, 0.75);  // 0.5, on a machine that others use as well
  EXPECT_LT(pruning.after.multiplications, 0.8 * pruning.before.multiplications);
}

// At full size, with units on their way out.
class Fading : public testing::TestWithParam<bool> {
 protected:
  Fading() : ramp_(full_) {
    calibrate(swap_, *case_.data, {.passes = 5});
    const auto pruning = prune(swap_, *case_.data, by_share(0.5));
    pruned_ = outputs();
    fading_.emplace(full_, swap_, pruning.kept, case_.data->inputs());
    swap_.replace(full_);
  }
  void begin() {
    ramp_.rewind();
    fading_->begin();
  }
  void move(double t) {
    swap_.set_blend(t);
    ramp_.move(t);
    fading_->move(t);
  }
  torch::Tensor outputs() {
    swap_.module().eval();
    return outputs_of(swap_.module(), case_.data->inputs())[0];
  }
  static void expect_near(const torch::Tensor& found, const torch::Tensor& wanted) {
    EXPECT_LT((found - wanted).abs().max().item<double>(),
              1e-5 * wanted.abs().max().item<double>());
  }

  Case case_ = GetParam() ? convolutions() : perceptron();
  Retargeter swap_ = case_.swap(/*is_calibrated=*/false);
  torch::jit::Module full_ = swap_.module();
  CalibratedRamp ramp_;
  torch::Tensor pruned_;
  std::optional<FadingUnits> fading_;
};

TEST_P(Fading, GoesFromTheOriginalToThePrunedModel) {
  expect_near(outputs(), pruned_);
  begin();
  move(0.0);
  expect_near(outputs(), outputs_of(case_.model.module, case_.data->inputs())[0]);
  move(0.5);
  EXPECT_GT((outputs() - pruned_).abs().max().item<double>(), 1e-3);
  move(1.0);
  expect_near(outputs(), pruned_);
}

TEST_P(Fading, WhatTrainingAddsToThemGoesAsWell) {
  begin();
  for (const double t : {0.0, 0.3, 1.0, 1.0}) {
    move(t);
    const torch::NoGradGuard no_grad;
    for (const auto& parameter : full_.parameters()) {
      parameter.add_(torch::randn_like(parameter), 0.01);
    }
  }
  move(1.0);
  const auto faded = outputs();
  EXPECT_GT((faded - pruned_).abs().max().item<double>(), 1e-3);
  const auto entries = tensor(swap_, "w2").numel();
  swap_.replace(fading_->cut());
  swap_.set_blend(1.0);
  EXPECT_LT(tensor(swap_, "w2").numel(), entries);
  expect_near(outputs(), faded);
}

INSTANTIATE_TEST_SUITE_P(Prune, Fading, testing::Bool(), [](const auto& parameter) {
  return std::string(parameter.param ? "Convolutions" : "Perceptron");
});

// Matrices of more features than are allowed, or than there is memory for.
TEST(Prune, TakesACheaperScoreWhereALayerIsTooWide) {
  const auto each = perceptron();
  auto swap = each.swap();
  auto options = by_share(0.3);
  options.calibration.max_features = 30;
  const auto pruning = prune(swap, *each.data, options);
  ASSERT_EQ(pruning.groups.size(), 2U);
  EXPECT_FALSE(pruning.groups[0].is_exact);
  EXPECT_TRUE(pruning.groups[1].is_exact);
  EXPECT_LT(each.error(swap), 0.3);
}

TEST(Prune, TheSameSeedGivesTheSameModel) {
  const auto each = perceptron();
  auto first = each.swap();
  auto second = each.swap();
  prune(first, *each.data, by_share(0.4), 7);
  prune(second, *each.data, by_share(0.4), 7);
  EXPECT_EQ(largest_difference(outputs_of(first.module(), each.data->inputs()),
                               outputs_of(second.module(), each.data->inputs())),
            0.0);
}

// Numbers that the original computes from its sizes stand in the pruned model's code.
TEST(Prune, ComparesCodeThatComputesItsNumbersInAnotherWay) {
  const Case each = {
      adopt(written("Shuffled",
                    {{"w1", {16, 3, 3, 3}}, {"b1", {16}}, {"w2", {8, 16, 3, 3}}, {"w3", {4, 8}}},
                    "    y = torch.silu(torch.conv2d(x, self.w1, self.b1))\n"
                    "    b, c, h, w = y.size()\n"
                    "    y = y.view(b, 2, c // 2, h, w).transpose(1, 2).reshape(b, c, h, w)\n"
                    "    z = torch.silu(torch.conv2d(y, self.w2))\n"
                    "    return torch.linear(z.mean([2, 3]), self.w3)\n")),
      data_of({96, 3, 8, 8})};
  auto swap = each.swap();
  const auto pruning = prune(swap, *each.data, by_share(0.3));
  ASSERT_EQ(pruning.groups.size(), 2U);
  EXPECT_LT(pruning.groups[0].after, 16);
  EXPECT_GT(pruning.refit.layers.size(), 0U);
  EXPECT_LT(each.error(swap), 0.3);
}

// Where squeeze() would drop the last channel with the pixels, which no trial of a part shows.
TEST(Prune, WhatGoesWrongAsChosenStays) {
  const Case each = {
      adopt(written("Squeezes", {{"w1", {4, 3, 3, 3}}, {"w2", {16, 4}}, {"w3", {3, 16}}},
                    "    y = torch.relu(torch.conv2d(x, self.w1))\n"
                    "    y = torch.adaptive_avg_pool2d(y, [1, 1]).squeeze()\n"
                    "    return torch.linear(torch.relu(torch.linear(y, self.w2)), self.w3)\n")),
      data_of({96, 3, 6, 6}), /*keeps_activations=*/true};
  auto swap = each.swap();
  auto options = by_share(0.75);
  options.calibration.passes = 0;
  const auto pruning = prune(swap, *each.data, options);
  ASSERT_EQ(pruning.groups.size(), 1U);
  EXPECT_LT(pruning.groups[0].after, 16);
  EXPECT_EQ(tensor(swap, "w1").size(0), 4);
  EXPECT_TRUE(std::any_of(pruning.stayed.begin(), pruning.stayed.end(), [](const auto& stayed) {
    return stayed.reason.find("a trial without some of its channels failed") == 0;
  }));
}

// What no code sets is read the same wherever it stands, in a model that sets another attribute
// too.
TEST(Prune, ComparesModelsThatSetAttributes) {
  const Case each = {
      adopt(written("Counts", kPerceptronShapes,
                    "    self.calls = self.calls + 1\n"
                    "    y = torch.mish(torch.linear(x, self.w1, self.b1)).view(-1, self.width)\n"
                    "    z = torch.mish(torch.linear(y, self.w2, self.b2))\n"
                    "    return torch.linear(z, self.w3, self.b3)\n",
                    "x", {{"width", 32}, {"calls", 0}})),
      data_of({96, 12}), /*keeps_activations=*/true};
  auto swap = each.swap();
  const auto pruning = prune(swap, *each.data, by_share(0.3));
  ASSERT_EQ(pruning.groups.size(), 2U);
  EXPECT_GT(pruning.refit.layers.size(), 0U);
  EXPECT_LT(each.error(swap), 0.3);
}

void expect_refusal(const Case& each, const PruneOptions& options, const std::string& part) {
  auto swap = each.swap(false);
  try {
    prune(swap, *each.data, options);
    ADD_FAILURE() << "expected: " << part;
  } catch (const UsageError& error) {
    EXPECT_NE(std::string(error.what()).find(part), std::string::npos) << error.what();
  }
}

TEST(Prune, SaysWhatCannotBeDone) {
  const auto each = perceptron();
  expect_refusal(each, by_share(1.0), "above 0 and below 1");
  expect_refusal(each, by_share(0.999), "% can go");
  auto options = by_share(0.3);
  options.keep = {"layer9*"};
  expect_refusal(each, options, "layer9*");
  options.keep = {"w*"};
  expect_refusal(each, options, "nothing to prune");
  options = by_share(0.3);
  options.round = -1;
  expect_refusal(each, options, "--prune-round");
  options.round = 64;
  expect_refusal(each, options, "% can go");
  options = by_share(0.3);
  options.budget = PruneBudget::parse("1M");
  expect_refusal(each, options, "already");
  options.budget = PruneBudget::parse("10");
  expect_refusal(each, options, "stay");
  options.budget = PruneBudget::parse("0.5x");
  expect_refusal(each, options, "--input");
}

TEST(Prune, RefusesAModelWithNothingToPrune) {
  const Case each = {
      adopt(written("One", {{"w", {4, 6}}}, "    return torch.mish(torch.linear(x, self.w))\n")),
      data_of({64, 6})};
  expect_refusal(each, by_share(0.5), "nothing to prune");
}

// `inspect --prune` promises no more than `convert --prune` keeps.
TEST(PrunableUnits, AreOnlyThoseWhoseReadersCanBeSolvedAnew) {
  const Shapes shapes = {{"w1", {8, 3}}, {"w2", {6, 8}}, {"w3", {2, 6}}};
  const auto model = adopt(written("SharedReader", shapes,
                                   "    h = torch.silu(torch.linear(x, self.w1))\n"
                                   "    u = torch.linear(h, self.w2) + torch.linear(-h, self.w2)\n"
                                   "    return torch.linear(torch.silu(u), self.w3)\n"));
  const auto units = prunable_units(model, {torch::randn({4, 3})});
  ASSERT_EQ(units.groups.size(), 1);
  EXPECT_EQ(units.groups[0].name, "w2");
  EXPECT_TRUE(std::ranges::any_of(units.rest, [](const Unprunable& stayed) {
    return stayed.name == "w1" && stayed.reason == "w2 reads its units and cannot be solved anew";
  }));
}

}  // namespace
}  // namespace actswap
