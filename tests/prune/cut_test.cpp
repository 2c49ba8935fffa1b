// Cutting units out: what changes in a module, and what stays.
#include <actswap/base/error.h>
#include <actswap/graph/retarget.h>
#include <actswap/prune/units.h>

#include <torch/script.h>

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "calibrate/written.h"
#include "models.h"

namespace actswap {
namespace {

using Strings = std::vector<std::string>;
using Inputs = std::vector<torch::Tensor>;

Strings parameter_names(const torch::jit::Module& module) {
  Strings names;
  for (const auto& parameter : module.named_parameters()) {
    names.push_back(parameter.name);
  }
  return names;
}

KeptUnits without_first(const Units& units, std::size_t count) {
  auto keep = keep_all(units);
  for (auto& group : keep) {
    for (std::size_t i = 0; i < std::min(count, group.size() - 1); ++i) {
      group[i] = false;
    }
  }
  return keep;
}

torch::jit::Module small() {
  return written("Small", {{"w1", {8, 6}}, {"b1", {8}}, {"w2", {4, 8}}, {"b2", {4}}},
                 "    y = torch.relu(torch.linear(x, self.w1, self.b1))\n"
                 "    return torch.linear(y, self.w2, self.b2)\n");
}

TEST(Cut, KeepsNamesAndLeavesTheGivenModuleAsItWas) {
  const auto module = small();
  const Inputs inputs = {torch::randn({3, 6})};
  const auto units = find_units(module, inputs);
  const auto before = outputs_of(module, inputs);
  const auto smaller = cut(module, units, without_first(units, 3));
  EXPECT_EQ(parameter_names(smaller), parameter_names(module));
  EXPECT_EQ(smaller.attr("w1").toTensor().sizes(), (std::vector<std::int64_t>{5, 6}));
  EXPECT_EQ(smaller.attr("b1").toTensor().sizes(), (std::vector<std::int64_t>{5}));
  EXPECT_EQ(smaller.attr("w2").toTensor().sizes(), (std::vector<std::int64_t>{4, 5}));
  EXPECT_TRUE(smaller.attr("b2").toTensor().is_same(module.attr("b2").toTensor()));
  EXPECT_EQ(module.attr("w1").toTensor().size(0), 8);
  EXPECT_EQ(largest_difference(outputs_of(module, inputs), before), 0.0);
}

// The units that go are those that were 0 already: nothing changes, to the last bit.
TEST(Cut, OfUnitsThatAreZeroChangesNothing) {
  const auto module = small();
  const Inputs inputs = {torch::randn({3, 6})};
  const auto units = find_units(module, inputs);
  {
    const torch::NoGradGuard no_grad;
    module.attr("w1").toTensor().narrow(0, 0, 3).zero_();
    module.attr("b1").toTensor().narrow(0, 0, 3).fill_(-1.0);
  }
  const auto smaller = cut(module, units, without_first(units, 3));
  EXPECT_LT(largest_difference(outputs_of(smaller, inputs), outputs_of(module, inputs)), 1e-6);
}

TEST(Cut, RefusesChoicesThatDoNotFit) {
  const auto module = small();
  const auto units = find_units(module, {torch::randn({3, 6})});
  EXPECT_THROW(cut(module, units, {}), UsageError);
  EXPECT_THROW(cut(module, units, {{true, false}}), UsageError);
  EXPECT_THROW(cut(module, units, {std::vector<bool>(8, false)}), UsageError);
  EXPECT_THROW(find_units(module, {torch::randn({3, 5})}), UsageError);
}

// Two objects of one class, with a size in its code, lose different numbers of units.
TEST(Cut, SplitsAClassWhoseObjectsComeToDiffer) {
  const auto unit = std::make_shared<torch::jit::CompilationUnit>();
  const auto block = [&](const torch::jit::Module* like) {
    auto made = like == nullptr
                    ? torch::jit::Module(c10::QualifiedName("__torch__.Block"), unit, true)
                    : torch::jit::Module(unit, like->type());
    for (const auto& [name, shape] : Shapes{{"up", {6, 4}}, {"down", {4, 6}}}) {
      if (like == nullptr) {
        made.register_parameter(name, torch::randn(shape), false);
      } else {
        made.setattr(name, torch::randn(shape).set_requires_grad(true));
      }
    }
    if (like == nullptr) {
      made.define(
          "def forward(self, x):\n"
          "    y = torch.relu(torch.linear(x, self.up)).view(-1, 6)\n"
          "    return x + torch.linear(y, self.down)\n");
    }
    return made;
  };
  const auto first = block(nullptr);
  const auto second = block(&first);
  torch::jit::Module root(c10::QualifiedName("__torch__.Root"), unit, true);
  root.register_module("first", first);
  root.register_module("second", second);
  root.define("def forward(self, x):\n    return self.second.forward(self.first.forward(x))\n");

  const Inputs inputs = {torch::randn({3, 4})};
  const auto units = find_units(root, inputs);
  ASSERT_EQ(units.groups.size(), 2U);
  auto keep = keep_all(units);
  keep[0][1] = keep[1][0] = keep[1][2] = false;
  const auto smaller = cut(root, units, keep);
  const auto silent = reload(root);
  silence(silent, units, keep);
  EXPECT_LT(largest_difference(outputs_of(smaller, inputs), outputs_of(silent, inputs)), 1e-5);
  EXPECT_EQ(smaller.attr("first").toModule().attr("up").toTensor().size(0), 5);
  EXPECT_EQ(smaller.attr("second").toModule().attr("up").toTensor().size(0), 4);
}

// A matrix that two layers read stays one matrix, and one that computes and reads the same units
// stays as it is.
TEST(Cut, KeepsTiedWeightsTied) {
  auto module = written("Tied", {{"w1", {6, 4}}, {"w2", {5, 6}}, {"w3", {5, 6}}},
                        "    y = torch.relu(torch.linear(x, self.w1))\n"
                        "    return torch.linear(y, self.w2) + torch.linear(2.0 * y, self.w3)\n");
  module.setattr("w3", module.attr("w2"));
  const Inputs inputs = {torch::randn({3, 4})};
  const auto units = find_units(module, inputs);
  ASSERT_EQ(units.groups.size(), 1U);
  const auto smaller = cut(module, units, without_first(units, 2));
  EXPECT_TRUE(smaller.attr("w2").toTensor().is_same(smaller.attr("w3").toTensor()));
  EXPECT_EQ(smaller.attr("w2").toTensor().size(1), 4);

  const auto both_ways = written("BothWays", {{"w1", {6, 4}}, {"w2", {5, 4}}},
                                 "    y = torch.relu(torch.linear(x, self.w1))\n"
                                 "    y = torch.linear(y, self.w1.t())\n"
                                 "    return torch.linear(y, self.w2)\n");
  const auto none = find_units(both_ways, inputs);
  EXPECT_EQ(none.groups.size(), 0U);
  EXPECT_EQ(none.rest.at(0).reason, "is computed and read by the same weight");
}

TEST(Cut, TensorsInOneMemoryStay) {
  auto module = small();
  const auto memory = torch::randn({8 * 6 + 4 * 8});
  module.setattr("w1", memory.narrow(0, 0, 48).view({8, 6}));
  module.setattr("w2", memory.narrow(0, 48, 32).view({4, 8}));
  const auto units = find_units(module, {torch::randn({3, 6})});
  EXPECT_EQ(units.groups.size(), 0U);
  EXPECT_EQ(units.rest.at(0).reason, "shares its memory with w1");
}

TEST(Cut, WorksWithBlendsInPlace) {
  const auto model = adopt(written("Blended", {{"w1", {8, 6}}, {"b1", {8}}, {"w2", {4, 8}}},
                                   "    y = torch.mish(torch.linear(x, self.w1, self.b1))\n"
                                   "    return torch.linear(y, self.w2)\n"));
  const Inputs inputs = {torch::randn({3, 6})};
  for (const auto code : {BlendCode::stock, BlendCode::fused}) {
    Retargeter swap(model, plan(model, {}), Tensors::copied, code);
    for (const double t : {0.0, 0.5, 1.0}) {
      swap.set_blend(t);
      const auto units = find_units(swap.module(), inputs);
      ASSERT_EQ(units.groups.size(), 1U) << t;
      const auto keep = without_first(units, 3);
      const auto smaller = cut(swap.module(), units, keep);
      const auto silent = reload(swap.module());
      silence(silent, units, keep);
      EXPECT_LT(largest_difference(outputs_of(smaller, inputs), outputs_of(silent, inputs)), 1e-5);
    }
  }
}

TEST(Cost, IsThatOfLayersAndProductsOfValues) {
  const auto module = written("Costs", {{"w1", {6, 3, 3}}, {"w2", {4, 6, 1}}, {"w3", {5, 4}}},
                              "    y = torch.relu(torch.conv1d(x, self.w1))\n"
                              "    y = torch.relu(torch.conv1d(y, self.w2)).mean([2])\n"
                              "    return torch.linear(y, self.w3)\n");
  const auto units = find_units(module, {torch::randn({2, 3, 10})});
  const auto all = cost(units, keep_all(units));
  EXPECT_EQ(all.multiplications, 8 * 6 * 9 + 8 * 4 * 6 + 5 * 4);
  EXPECT_EQ(all.parameters, 6 * 9 + 4 * 6 + 5 * 4);
  const auto fewer = cost(units, without_first(units, 1));
  EXPECT_EQ(fewer.multiplications, 8 * 5 * 9 + 8 * 3 * 5 + 5 * 3);
  EXPECT_EQ(units.groups.at(0).multiplications, 8 * 9 + 8 * 4);
  EXPECT_EQ(units.groups.at(0).parameters, 9 + 4);
}

TEST(FoldIntoBias, TakesOverWhatDoesNotChange) {
  const auto unit = std::make_shared<torch::jit::CompilationUnit>();
  torch::jit::Module conv(c10::QualifiedName("__torch__.Conv"), unit, true);
  conv.register_parameter("weight", torch::randn({4, 6, 3}), false);
  conv.register_parameter("bias", torch::randn({4}), false);
  conv.define("def forward(self, x):\n    return torch.conv1d(x, self.weight, self.bias)\n");
  torch::jit::Module root(c10::QualifiedName("__torch__.Root"), unit, true);
  root.register_module("conv", conv);
  root.register_parameter("w1", torch::randn({6, 3, 1}), false);
  root.register_parameter("b1", torch::randn({6}), false);
  root.define(
      "def forward(self, x):\n    return self.conv.forward(torch.conv1d(x, self.w1, self.b1))\n");
  const Inputs inputs = {torch::randn({2, 3, 8})};
  const auto units = find_units(root, inputs);
  ASSERT_EQ(units.groups.size(), 1U);
  torch::Tensor constant;
  {
    const torch::NoGradGuard no_grad;
    root.attr("w1").toTensor().select(0, 0).zero_();  // the first unit is its bias
    constant = root.attr("b1").toTensor().narrow(0, 0, 1).clone();
  }
  const auto before = outputs_of(root, inputs);
  for (const auto& slice : units.groups[0].slices) {
    if (slice.role == SliceRole::input) {
      EXPECT_EQ(slice.layer, "conv");
      EXPECT_TRUE(fold_into_bias(root, units, slice, conv.attr("bias").toTensor(), {0}, constant));
    }
  }
  const auto smaller = cut(root, units, without_first(units, 1));
  EXPECT_LT(largest_difference(outputs_of(smaller, inputs), before), 1e-5);

  const auto without_bias = written("NoBias", {{"w1", {6, 3}}, {"w2", {4, 6}}},
                                    "    return torch.linear(torch.linear(x, self.w1), self.w2)\n");
  const auto others = find_units(without_bias, {torch::randn({2, 3})});
  EXPECT_FALSE(fold_into_bias(without_bias, others, others.groups.at(0).slices.at(1), {}, {0},
                              torch::ones({1})));
}

// Scripted, traced and frozen ones of all kinds: whatever is found holds, and no rule was wrong.
TEST(Cut, HoldsForEveryTestModel) {
  std::size_t groups = 0;
  for (const auto& each : test_models()) {
    SCOPED_TRACE(each.name);
    const auto model = load(each.path);
    const auto inputs = recorded(each.name).inputs;
    const auto units = find_units(model.module, inputs);
    for (const auto& entry : units.rest) {
      EXPECT_EQ(entry.reason.find("a trial"), std::string::npos)
          << entry.name << ": " << entry.reason;
    }
    groups += units.groups.size();
  }
  EXPECT_GT(groups, test_models().size() / 2);
}

}  // namespace
}  // namespace actswap
