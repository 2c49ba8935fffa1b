// Which units a model has, and that a model without some of them gives what it gives where nothing
// reads them.
#include <actswap/prune/units.h>

#include <torch/script.h>
#include <torch/utils.h>

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "calibrate/written.h"
#include "models.h"

namespace actswap {
namespace {

using Strings = std::vector<std::string>;

// "w1 8": name and count of each group.
Strings summary(const Units& units) {
  Strings found;
  for (const auto& group : units.groups) {
    found.push_back(group.name + " " + std::to_string(group.count));
  }
  return found;
}

Strings reasons(const Units& units) {
  Strings found;
  for (const auto& each : units.rest) {
    found.push_back(each.name + ": " + each.reason);
  }
  return found;
}

struct UnitsCase {
  std::string name;
  Shapes parameters;
  std::string code;
  std::vector<std::int64_t> input;
  Strings groups;
  Strings rest;
};

// Units go one by one, several together, and all but one.
void expect_cuts_right(const torch::jit::Module& module, const Units& units,
                       const std::vector<torch::Tensor>& inputs) {
  for (const int every : {2, 3, 1000}) {
    auto keep = keep_all(units);
    for (auto& group : keep) {
      for (std::size_t i = 0; i < group.size(); ++i) {
        group[i] = every == 1000 ? i == 1 : i % static_cast<std::size_t>(every) != 1;
      }
    }
    const auto smaller = cut(module, units, keep);
    const auto silent = reload(module);
    silence(silent, units, keep);
    EXPECT_LT(largest_difference(outputs_of(smaller, inputs), outputs_of(silent, inputs)), 1e-5);
    const auto expected = cost(units, keep);
    EXPECT_EQ(static_cast<double>(parameter_count(smaller)), expected.parameters);
  }
}

void expect(const UnitsCase& each) {
  SCOPED_TRACE(each.name);
  const auto module = written(each.name, each.parameters, each.code);
  torch::manual_seed(7);
  const std::vector<torch::Tensor> inputs = {torch::randn(each.input)};
  const auto units = find_units(module, inputs);
  EXPECT_EQ(summary(units), each.groups);
  EXPECT_EQ(reasons(units), each.rest);
  expect_cuts_right(module, units, inputs);
}

constexpr char kOutput[] = "is an output of the model";

TEST(Units, AreTheHiddenNeuronsOfLayersInEverySpelling) {
  const std::vector<UnitsCase> cases = {
      {"Linear",
       {{"w1", {8, 6}}, {"b1", {8}}, {"w2", {4, 8}}},
       "    return torch.linear(torch.relu(torch.linear(x, self.w1, self.b1)), self.w2)\n",
       {5, 6},
       {"w1 8"},
       {"w2: " + std::string(kOutput)}},
      {"Addmm",
       {{"w1", {6, 8}}, {"b1", {8}}, {"w2", {8, 4}}, {"b2", {4}}},
       "    y = torch.mish(torch.addmm(self.b1, x, self.w1))\n"
       "    return torch.addmm(self.b2, y, self.w2)\n",
       {5, 6},
       {"w1 8"},
       {"w2: " + std::string(kOutput)}},
      {"Transposed",
       {{"w1", {8, 6}}, {"b1", {8}}, {"w2", {4, 8}}},
       "    y = torch.mish(torch.matmul(x, self.w1.t()) + self.b1)\n"
       "    return torch.matmul(y, self.w2.transpose(0, 1))\n",
       {5, 3, 6},
       {"w1 8"},
       {"w2: " + std::string(kOutput)}},
      {"Convolutions",
       {{"w1", {8, 3, 3, 3}}, {"b1", {8}}, {"w2", {6, 8, 3, 3}}, {"w3", {4, 6}}},
       "    y = torch.max_pool2d(torch.relu(torch.conv2d(x, self.w1, self.b1)), [2, 2])\n"
       "    z = torch.relu(torch.conv2d(y, self.w2))\n"
       "    return torch.linear(z.mean([2, 3]), self.w3)\n",
       {2, 3, 12, 12},
       {"w1 8", "w2 6"},
       {"w3: " + std::string(kOutput)}},
      {"Upwards",
       {{"w1", {3, 8, 2}}, {"w2", {8, 4, 2}}},
       "    y = torch.relu(torch.conv_transpose1d(x, self.w1))\n"
       "    return torch.conv_transpose1d(y, self.w2)\n",
       {2, 3, 7},
       {"w1 8"},
       {"w2: " + std::string(kOutput)}},
      {"Flattened",
       {{"w1", {5, 3, 3}}, {"w2", {4, 25}}},
       "    y = torch.relu(torch.conv1d(x, self.w1))\n"
       "    return torch.linear(y.flatten(1), self.w2)\n",
       {2, 3, 7},
       {"w1 5"},
       {"w2: " + std::string(kOutput)}},
  };
  for (const auto& each : cases) {
    expect(each);
  }
}

TEST(Units, AreWhatIsTiedTogether) {
  const std::vector<UnitsCase> cases = {
      {"Residual",
       {{"w0", {6, 3, 1}}, {"w1", {9, 6, 3}}, {"w2", {6, 9, 3}}, {"w3", {4, 6, 1}}},
       "    x = torch.conv1d(x, self.w0)\n"
       "    y = torch.relu(torch.conv1d(x, self.w1, None, [1], [1]))\n"
       "    x = torch.relu(x + torch.conv1d(y, self.w2, None, [1], [1]))\n"
       "    return torch.conv1d(x, self.w3)\n",
       {2, 3, 8},
       {"w0 and w2 6", "w1 9"},
       {"w3: " + std::string(kOutput)}},
      {"Concatenated",
       {{"w0", {6, 3, 1}}, {"w1", {5, 6, 1}}, {"w2", {4, 11, 1}}},
       "    x = torch.conv1d(x, self.w0)\n"
       "    y = torch.relu(torch.conv1d(x, self.w1))\n"
       "    return torch.conv1d(torch.cat([x, y], 1), self.w2)\n",
       {2, 3, 8},
       {"w0 6", "w1 5"},
       {"w2: " + std::string(kOutput)}},
      {"Depthwise",
       {{"w0", {6, 3, 1}}, {"w1", {6, 1, 3}}, {"w2", {4, 6, 1}}},
       "    x = torch.conv1d(x, self.w0)\n"
       "    x = torch.relu(torch.conv1d(x, self.w1, None, [1], [1], [1], 6))\n"
       "    return torch.conv1d(x, self.w2)\n",
       {2, 3, 8},
       {"w0 6"},
       {"w2: " + std::string(kOutput)}},
      {"Grouped",
       {{"w0", {6, 3, 1}}, {"w1", {12, 2, 3}}, {"w2", {4, 12, 1}}},
       "    x = torch.conv1d(x, self.w0)\n"
       "    x = torch.relu(torch.conv1d(x, self.w1, None, [1], [1], [1], 3))\n"
       "    return torch.conv1d(x, self.w2)\n",
       {2, 3, 8},
       {"w0 3"},
       {"w2: " + std::string(kOutput)}},
      {"Gate",
       {{"w0", {6, 3, 1}}, {"w1", {5, 6, 1}}, {"w2", {6, 5, 1}}, {"w3", {4, 6, 1}}},
       "    x = torch.relu(torch.conv1d(x, self.w0))\n"
       "    g = torch.relu(torch.conv1d(x.mean([2], True), self.w1))\n"
       "    x = x * torch.sigmoid(torch.conv1d(g, self.w2))\n"
       "    return torch.conv1d(x, self.w3)\n",
       {2, 3, 8},
       {"w0 and w2 6", "w1 5"},
       {"w3: " + std::string(kOutput)}},
      {"Glu",
       {{"w0", {12, 3}}, {"w1", {4, 6}}},
       "    return torch.linear(torch.glu(torch.linear(x, self.w0), -1), self.w1)\n",
       {5, 3},
       {"w0 6"},
       {"w1: " + std::string(kOutput)}},
      {"Split",
       {{"w0", {9, 3}}, {"w1", {4, 6}}, {"w2", {4, 3}}},
       "    y = torch.relu(torch.linear(x, self.w0)).split([6, 3], 1)\n"
       "    return torch.linear(y[0], self.w1) + torch.linear(y[1], self.w2)\n",
       {5, 3},
       {"w0 6", "w0 3"},
       {"w1: " + std::string(kOutput), "w2: " + std::string(kOutput)}},
      {"Slices",
       {{"w0", {9, 3}}, {"w1", {4, 6}}, {"w2", {4, 3}}},
       "    y = torch.relu(torch.linear(x, self.w0))\n"
       "    return torch.linear(y[:, :6], self.w1) + torch.linear(y[:, 6:], self.w2)\n",
       {5, 3},
       {"w0 6", "w0 3"},
       {"w1: " + std::string(kOutput), "w2: " + std::string(kOutput)}},
      {"GroupNorm",
       {{"w0", {12, 3, 1}}, {"g", {12}}, {"b", {12}}, {"w1", {4, 12, 1}}},
       "    x = torch.group_norm(torch.conv1d(x, self.w0), 4, self.g, self.b)\n"
       "    return torch.conv1d(torch.relu(x), self.w1)\n",
       {2, 3, 8},
       {"w0 4"},
       {"w1: " + std::string(kOutput)}},
      {"Heads",
       {{"w0", {6, 6}}, {"w1", {36, 6}}, {"w2", {6, 12}}, {"w3", {4, 6}}},
       "    x = torch.linear(x, self.w0)\n"
       "    z = torch.linear(x, self.w1).view(2, 5, 3, 3, 4).permute(2, 0, 3, 1, 4)\n"
       "    a = torch.softmax(torch.matmul(z[0], z[1].transpose(-2, -1)) * 0.5, -1)\n"
       "    y = torch.matmul(a, z[2]).transpose(1, 2).reshape(2, 5, 12)\n"
       "    return torch.linear(torch.relu(x + torch.linear(y, self.w2)), self.w3)\n",
       {2, 5, 6},
       {"w0 and w2 6", "w1 3"},
       {"w3: " + std::string(kOutput)}},
      {"Shuffle",
       {{"w0", {8, 3, 1}}, {"w1", {8, 4, 1}}, {"w2", {4, 8, 1}}},
       "    x = torch.relu(torch.conv1d(x, self.w0))\n"
       "    x = x.view(2, 2, 4, 8).transpose(1, 2).reshape(2, 8, 8)\n"
       "    return torch.conv1d(x, self.w2)\n",
       {2, 3, 8},
       {"w0 4"},
       {"w2: " + std::string(kOutput)}},
  };
  for (const auto& each : cases) {
    expect(each);
  }
}

TEST(Units, StayWhereTheyCannotBeFollowed) {
  const std::vector<UnitsCase> cases = {
      {"LayerNorm",
       {{"w0", {6, 3}}, {"g", {6}}, {"b", {6}}, {"w1", {4, 6}}},
       "    x = torch.layer_norm(torch.linear(x, self.w0), [6], self.g, self.b)\n"
       "    return torch.linear(x, self.w1)\n",
       {5, 3},
       {},
       {"w0: a layer norm goes over it, with all of its channels", "w1: " + std::string(kOutput)}},
      {"Softmax",
       {{"w0", {6, 3}}, {"w1", {4, 6}}},
       "    return torch.linear(torch.softmax(torch.linear(x, self.w0), -1), self.w1)\n",
       {5, 3},
       {},
       {"w0: is mixed with the other channels by softmax", "w1: " + std::string(kOutput)}},
      {"Unknown",
       {{"w0", {6, 3}}, {"w1", {4, 6}}},
       "    return torch.linear(torch.tril(torch.linear(x, self.w0)), self.w1)\n",
       {5, 3},
       {},
       {"w0: its channels cannot be followed through tril", "w1: " + std::string(kOutput)}},
      {"WithTheInput",
       {{"w0", {3, 3}}, {"w1", {4, 3}}},
       "    return torch.linear(x + torch.linear(x, self.w0), self.w1)\n",
       {5, 3},
       {},
       {"w0: is combined with values whose channels stay", "w1: " + std::string(kOutput)}},
      {"Branch",
       {{"w0", {6, 3}}, {"w1", {4, 6}}},
       "    y = torch.linear(x, self.w0)\n"
       "    if bool(x.sum() > 1000.0):\n"
       "        y = y + y.sum(1, True)\n"
       "    return torch.linear(y, self.w1)\n",
       {5, 3},
       {},
       {"w0: is mixed with the other channels by sum", "w1: " + std::string(kOutput)}},
      {"BranchThatWrites",
       {{"w0", {6, 3}}, {"w1", {4, 6}}},
       "    y = torch.linear(x, self.w0)\n"
       "    if bool(x.sum() > 1000.0):\n"
       "        y.add_(1.0)\n"
       "    return torch.linear(y, self.w1)\n",
       {5, 3},
       {},
       {"w0: a branch that not every run takes reads it", "w1: " + std::string(kOutput)}},
      {"TheSameSizeInTwoPlaces",
       {{"w0", {6, 6}}, {"w1", {4, 6}}},
       "    sizes = [30, 6]\n"
       "    y = torch.linear(x.view(sizes), self.w0).view(sizes)\n"
       "    return torch.linear(y, self.w1)\n",
       {5, 6, 6},
       {},
       {"w0: its number is written in code that runs several times",
        "w1: " + std::string(kOutput)}},
  };
  for (const auto& each : cases) {
    expect(each);
  }
}

// Whichever branch an input takes: both are looked at.
TEST(Units, GoThroughBranches) {
  const auto module = written("Branches", {{"w0", {6, 3, 3}}, {"w1", {4, 6, 3}}},
                              "    y = torch.relu(torch.conv1d(x, self.w0))\n"
                              "    if y.size(2) % 2 == 1:\n"
                              "        y = torch.constant_pad_nd(y, [0, 1], 0.0)\n"
                              "    return torch.conv1d(y, self.w1)\n");
  const std::vector<torch::Tensor> even = {torch::randn({2, 3, 10})};
  const std::vector<torch::Tensor> odd = {torch::randn({2, 3, 11})};
  const auto units = find_units(module, even);
  EXPECT_EQ(summary(units), Strings{"w0 6"});
  expect_cuts_right(module, units, even);
  expect_cuts_right(module, units, odd);
}

// What only training reads loses its units as well.
TEST(Units, GoThroughTheBranchesOfTheOtherMode) {
  const auto unit = std::make_shared<torch::jit::CompilationUnit>();
  torch::jit::Module module(c10::QualifiedName("__torch__.Mode"), unit, true);
  module.register_attribute("training", c10::BoolType::get(), true);
  module.register_parameter("w0", torch::randn({6, 3}), false);
  module.register_parameter("w1", torch::randn({4, 6}), false);
  module.register_parameter("w2", torch::randn({4, 6}), false);
  module.define(
      "def forward(self, x):\n"
      "    y = torch.relu(torch.linear(x, self.w0))\n"
      "    z = torch.linear(y, self.w1)\n"
      "    if self.training:\n"
      "        noise = torch.empty([1], dtype=x.dtype)\n"
      "        z = z + torch.linear(y, self.w2) * noise.bernoulli_(0.5)\n"
      "    return z\n");
  const auto units = find_units(module, {torch::randn({2, 3})});
  ASSERT_EQ(summary(units), Strings{"w0 6"});
  auto keep = keep_all(units);
  keep[0][2] = false;
  auto smaller = cut(module, units, keep);
  EXPECT_EQ(smaller.attr("w2").toTensor().size(1), 5);
  smaller.train();
  EXPECT_EQ(outputs_of(smaller, {torch::randn({2, 3})}).at(0).size(1), 4);
}

}  // namespace
}  // namespace actswap
