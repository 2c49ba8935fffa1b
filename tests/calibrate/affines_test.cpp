// Products and sums with fixed numbers between a layer and an activation, in all their spellings.
#include <actswap/calibrate/calibrate.h>
#include <actswap/calibrate/layers.h>
#include <actswap/calibrate/move_input.h>
#include <actswap/graph/retarget.h>

#include <torch/script.h>
#include <torch/utils.h>

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "calibrate/written.h"
#include "models.h"

namespace actswap {
namespace {

using Strings = std::vector<std::string>;

struct Chain {
  std::string name;
  Shapes parameters;
  std::string code;  // from x to the input of the activation, y
  Strings moved;     // parameters that a scale and a shift change; none: nothing is moved
  bool may_scale = true;
  std::vector<std::int64_t> input = {16, 3, 5, 5};
};

const std::string kBehindConvolution =
    "    return torch.conv2d(torch.mish(y), self.last, self.last_bias)\n";
const std::string kBehindLinear =
    "    return torch.linear(torch.mish(y), self.last, self.last_bias)\n";

// The blended model, and what calibration finds in it.
struct Analysed {
  explicit Analysed(const Chain& chain)
      : model(adopt(made(chain))), swap(model, plan(model, {})), program(swap.module()) {
    neighbours = find_neighbours(program);
    torch::manual_seed(6);
    x = torch::randn(chain.input);
  }

  static torch::jit::Module made(const Chain& chain) {
    auto parameters = chain.parameters;
    const bool is_linear = chain.input.size() < 4;
    parameters.emplace_back("last", is_linear ? std::vector<std::int64_t>{6, 4}
                                              : std::vector<std::int64_t>{6, 4, 1, 1});
    parameters.emplace_back("last_bias", std::vector<std::int64_t>{6});
    return written(chain.name, parameters,
                   chain.code + (is_linear ? kBehindLinear : kBehindConvolution));
  }

  torch::Tensor at(const Moment& moment) {
    const torch::NoGradGuard no_grad;
    return program.run(Which::fitted, 0, program.beginning({x}), {moment})[0].toTensor().clone();
  }
  torch::Tensor made_by(const torch::jit::Value* value) {
    return at({value, program.position(value->node()) + 1});
  }
  torch::Tensor site_input() {
    const auto& site = neighbours.sites.at(0);
    return at({site.input, program.position(site.call)});
  }

  // The parameters that are not what they were.
  Strings moved() const {
    Strings names;
    const auto before = model.module.named_parameters();
    for (const auto& parameter : swap.module().named_parameters()) {
      for (const auto& original : before) {
        if (original.name == parameter.name && !original.value.equal(parameter.value)) {
          names.push_back(parameter.name);
        }
      }
    }
    return names;
  }

  Model model;
  Retargeter swap;
  Program program;
  Neighbourhood neighbours;
  torch::Tensor x;
};

const Shapes kConvolution = {{"w", {4, 3, 3, 3}}, {"b", {4}}};

Shapes with(Shapes parameters, const Shapes& more) {
  parameters.insert(parameters.end(), more.begin(), more.end());
  return parameters;
}

const std::string kConvolve = "    y = torch.conv2d(x, self.w, self.b)\n";

std::vector<Chain> chains() {
  const auto scalars = with(kConvolution, {{"s", {1}}, {"o", {1}}});
  const auto vectors = with(kConvolution, {{"s", {4, 1, 1}}, {"o", {1, 4, 1, 1}}});
  const auto flat = with(kConvolution, {{"s", {4}}, {"o", {4}}});
  const Shapes linear = {{"w", {4, 3}}, {"b", {4}}, {"s", {4}}, {"o", {4}}};
  return {
      // As PaddlePaddle has it.
      {"Scalars", scalars, kConvolve + "    y = y * self.s + self.o\n", {"w", "b"}},
      {"ScalarsInPlace",
       scalars,
       kConvolve + "    y *= self.s\n    y += self.o\n    y -= self.s\n",
       {"w", "b"}},
      {"Numbers", kConvolution, kConvolve + "    y = 3.0 - (y / -2.0 + 1.0) * 2.0\n", {"w", "b"}},
      {"SumWithAFactor",
       scalars,
       kConvolve + "    y = torch.add(self.o, torch.sub(y, self.s, alpha=2.0), alpha=-0.5)\n",
       {"w", "b"}},
      {"PerChannel", vectors, kConvolve + "    y = y * self.s + self.o\n", {"s", "o"}},
      {"Subtracted", vectors, kConvolve + "    y = self.s * y - self.o\n", {"s", "o"}},
      {"FromAnOffset", vectors, kConvolve + "    y = self.o - self.s * y\n", {"s", "o"}},
      {"FactorOnly", vectors, kConvolve + "    y = y * self.s + 0.5\n", {"w", "b"}},
      {"Divided", vectors, kConvolve + "    y = y / (self.s * self.s + 0.5)\n", {"w", "b"}},
      {"OffsetOnly", vectors, kConvolve + "    y = torch.mul(y, 2.0) + self.o\n", {"w", "b"}},
      {"OffsetOfALayerWithoutBias",
       {{"w", {4, 3, 3, 3}}, {"o", {1, 4, 1, 1}}, {"s", {1}}},
       "    y = (torch.conv2d(x, self.w) * 2.0 + self.o) * self.s + self.s\n",
       {"w", "o"}},
      {"Reshaped",
       flat,
       kConvolve + "    y = y * self.s.view(1, -1, 1, 1) + self.o.unsqueeze(1).unsqueeze(2)\n",
       {"s", "o"}},
      // As torchvision's FrozenBatchNorm2d has it.
      {"Frozen",
       with(flat, {{"m", {4}}, {"v", {4}}}),
       kConvolve + "    s = self.s.reshape(1, -1, 1, 1) * "
                   "(self.v.reshape(1, -1, 1, 1).abs() + 0.1).rsqrt()\n"
                   "    o = self.o.reshape(1, -1, 1, 1) - self.m.reshape(1, -1, 1, 1) * s\n"
                   "    y = y * s + o\n",
       {"w", "b"}},
      {"FrozenWithoutBias",
       {{"w", {4, 3, 3, 3}}, {"s", {4}}, {"o", {4}}, {"m", {4}}},
       "    y = torch.conv2d(x, self.w)\n"
       "    s = self.s.reshape(1, -1, 1, 1)\n"
       "    y = y * s + (self.o.reshape(1, -1, 1, 1) - self.m.reshape(1, -1, 1, 1) * s)\n",
       {"w", "o"}},
      {"BatchNorm",
       with(flat, {{"m", {4}}, {"v", {4}}, {"k", {1}}}),
       kConvolve +
           "    y = torch.batch_norm(y, self.s, self.o, self.m, self.v.abs(), False, 0.1, 1e-5, "
           "False)\n"
           "    y = y * self.k + self.k\n",
       {"s", "o"}},
      {"Pooled",
       scalars,
       kConvolve + "    y = torch.max_pool2d(y * self.s, [2, 2]) + self.o\n",
       {"w", "b"}},
      {"BehindASum",
       with(scalars, {{"v", {4, 3, 3, 3}}}),
       kConvolve + "    y = (torch.conv2d(x, self.v) + y) * self.s + self.o\n",
       {"b"},
       false},
      {"BehindPositions",
       with(scalars, {{"p", {3, 3}}}),
       kConvolve + "    y = (y + self.p) * self.s\n",
       {"b"},
       false},
      {"Linear",
       linear,
       "    y = torch.linear(x, self.w, self.b).view([-1, 4]) * self.s + self.o\n",
       {"s", "o"},
       true,
       {16, 3}},
      {"Tokens",
       linear,
       "    y = (torch.linear(x, self.w, self.b) * 2.0 - 1.0).reshape([16, 7, 4]) * 0.5\n",
       {"w", "b"},
       true,
       {16, 7, 3}},
      // No layer or norm in front of it.
      {"WrittenNorm",
       {{"s", {3}}, {"o", {3}}, {"v", {4, 3}}},
       "    y = torch.linear((x - x.mean(-1, True)) * self.s + self.o, self.v)\n",
       {},
       true,
       {16, 3}},
      {"SharedOffset",
       vectors,
       "    y = (torch.conv2d(x, self.w) + self.s) * self.s + self.o * self.o.sum()\n",
       {}},
      {"SharedValue", scalars, kConvolve + "    y = y * self.s + torch.sigmoid(y)\n", {}},
      {"OneNumberForEachColumn",
       {{"w", {4, 3, 3, 3}}, {"o", {3}}},
       "    y = torch.conv2d(x, self.w) * self.o\n",
       {}},
  };
}

// x becomes scale * x + shift, whatever is in front of it.
TEST(Affines, AreWhatAShiftGoesThrough) {
  for (const auto& chain : chains()) {
    SCOPED_TRACE(chain.name);
    Analysed found(chain);
    ASSERT_EQ(found.neighbours.sites.size(), 1U);
    const auto& site = found.neighbours.sites[0];
    EXPECT_EQ(site.bias.defined(), !chain.moved.empty());
    if (!site.bias.defined()) {
      continue;
    }
    EXPECT_EQ(site.weight.defined(), chain.may_scale);
    EXPECT_EQ(site.bias.numel(), 4);
    const auto before = found.site_input();
    const torch::NoGradGuard no_grad;
    const auto shift = torch::tensor({0.5, -1.0, 0.25, 2.0});
    const auto scale = chain.may_scale ? torch::tensor({2.0, 1.0, 0.5, 3.0}) : torch::ones({4});
    const auto change = move_input(site, {scale, shift});
    EXPECT_TRUE(change.shift.equal(shift));
    EXPECT_TRUE(change.scale.equal(scale));
    const auto expected = beside(scale, before.dim(), site.channel_dim) * before +
                          beside(shift, before.dim(), site.channel_dim);
    EXPECT_TRUE(torch::allclose(found.site_input(), expected, 1e-4, 1e-4));
    EXPECT_EQ(found.moved(), chain.moved);
  }
}

// What a layer lacks behind the affines it can add before them.
TEST(Affines, AreWhatALayerIsComparedBehind) {
  for (auto chain : chains()) {
    if (chain.name == "WrittenNorm" || chain.name == "SharedOffset" ||
        chain.name == "OneNumberForEachColumn" || chain.name == "Pooled") {
      continue;
    }
    SCOPED_TRACE(chain.name);
    // The chain behind an activation, and none behind it.
    chain.code = "    x = torch.mish(x)\n" + chain.code;
    chain.code += "    y = torch.softmax(y, 1)\n";
    Analysed found(chain);
    ASSERT_GE(found.neighbours.layers.size(), 2U);
    const auto is_w = [](const Layer& layer) { return layer.weight.size(1) == 3; };
    const auto& layers = found.neighbours.layers;
    const auto& layer = *std::find_if(layers.begin(), layers.end(), is_w);
    ASSERT_TRUE(layer.takes_offset());
    const auto before = found.made_by(layer.compared);
    const torch::NoGradGuard no_grad;
    const auto offset = torch::tensor({0.5, -1.0, 0.25, 2.0});
    add_offset(layer, offset);
    const auto added = layer.scale.defined() ? layer.scale * offset : offset;
    const auto expected =
        before + beside(added, before.dim(), layer.channel_dim()).to(torch::kFloat);
    EXPECT_TRUE(torch::allclose(found.made_by(layer.compared), expected, 1e-4, 1e-4));
    const bool is_cut = chain.name == "SharedValue" || chain.name == "Linear";  // by a view
    EXPECT_EQ(layer.compared == layer.output, is_cut);
  }
}

// Nothing is divided by next to nothing.
TEST(Affines, ChannelsThatTheyTakeAwayStay) {
  Chain chain = {"TakenAway",
                 with(kConvolution, {{"s", {4, 1, 1}}}),
                 kConvolve + "    y = y * self.s\n",
                 {"b"}};
  Analysed found(chain);
  const torch::NoGradGuard no_grad;
  found.model.module.attr("s").toTensor().copy_(
      torch::tensor({0.0, 1.0, 1e-9, -2.0}).view({4, 1, 1}));
  Retargeter swap(found.model, plan(found.model, {}));
  Program program(swap.module());
  const auto site = find_neighbours(program).sites.at(0);
  const auto change = move_input(site, {torch::ones({4}), torch::ones({4})});
  EXPECT_TRUE(change.shift.equal(torch::tensor({0.0, 1.0, 0.0, 1.0})));
  const auto bias = [](const torch::jit::Module& module) { return module.attr("b").toTensor(); };
  const auto moved = bias(swap.module()) - bias(found.model.module);
  EXPECT_TRUE(torch::allclose(moved, torch::tensor({0.0, 1.0, 0.0, -0.5}), 1e-5, 1e-6));
}

// What is computed from constants before the program runs is no tensor of the model.
TEST(Affines, ConstantsAreMovedWhereTheModelHasThem) {
  for (const bool is_computed : {false, true}) {
    const auto offset = std::string(is_computed ? "self.o * 2.0" : "self.o");
    auto module = written("Constant", {{"w", {4, 3, 1, 1}}, {"o", {4, 1, 1}}, {"v", {2, 4, 1, 1}}},
                          "    y = torch.mish(torch.conv2d(x, self.w) + " + offset +
                              ")\n    return torch.conv2d(y, self.v)\n");
    const auto graph = torch::jit::toGraphFunction(module.get_method("forward").function()).graph();
    for (torch::jit::Node* node : graph->nodes()) {
      if (node->kind() == c10::prim::GetAttr && node->s(c10::attr::name) == "o") {
        const torch::jit::WithInsertPoint guard(node);
        node->output()->replaceAllUsesWith(
            graph->insertConstant(module.attr("o").toTensor().clone()));
      }
    }
    const auto model = adopt(module);
    Retargeter swap(model, plan(model, {}));
    Program program(swap.module());
    const auto site = find_neighbours(program).sites.at(0);
    EXPECT_EQ(site.bias.defined(), !is_computed);
    if (!is_computed) {
      const auto x = torch::randn({2, 3, 4, 4});
      const auto before = outputs_of(swap.module(), {x}).at(0);
      const torch::NoGradGuard no_grad;
      move_input(site, {torch::ones({4}), torch::ones({4})});
      EXPECT_FALSE(torch::allclose(outputs_of(swap.module(), {x}).at(0), before));
    }
  }
}

// An activation, an affine, and a layer that alone reads both.
TEST(Affines, StandBetweenAnActivationAndTheLayerThatReadsIt) {
  Chain chain = {
      "Behind",
      with(kConvolution, {{"s", {1}}, {"o", {4, 1, 1}}, {"last2", {4, 4, 1, 1}}}),
      kConvolve + "    y = torch.conv2d(torch.mish(y) * self.s * self.o + self.s, self.last2)\n",
      {}};
  Analysed found(chain);
  const auto& layer = found.neighbours.layers.at(0);
  EXPECT_EQ(layer.site, 0);
  const auto factor =
      found.model.module.attr("s").toTensor() * found.model.module.attr("o").toTensor().flatten();
  EXPECT_TRUE(torch::allclose(layer.site_scale, factor.to(torch::kDouble)));
  EXPECT_FALSE(found.neighbours.sites.at(0).feeds_sum) << "the sum is with a fixed number";
}

TEST(Affines, AGateTakesNoOffset) {
  Chain chain = {"Gate",
                 kConvolution,
                 kConvolve +
                     "    y = torch.mish(y) * 2.0\n"
                     "    y = y * torch.sigmoid(y.mean([2, 3], True))\n",
                 {}};
  Analysed found(chain);
  EXPECT_TRUE(found.neighbours.sites.at(0).feeds_gate);
  EXPECT_FALSE(found.neighbours.sites.at(0).feeds_sum);
}

}  // namespace
}  // namespace actswap
