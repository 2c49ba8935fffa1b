// Models that compute something else for inputs of other sizes, ranks, types and modes.
#include <actswap/prune/other_inputs.h>
#include <actswap/prune/units.h>

#include <torch/script.h>
#include <torch/utils.h>

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "calibrate/written.h"
#include "models.h"
#include "prune/cut_right.h"

namespace actswap {
namespace {

const Shapes kThree = {{"w0", {16, 6}}, {"w1", {16, 16}}, {"w2", {4, 16}}};

std::string reasons_in(const Units& units) {
  std::string found;
  for (const auto& [name, reason] : units.rest) {
    found += name + ": " + reason + "; ";
  }
  return found;
}

std::string sizes_in(const std::vector<std::vector<torch::Tensor>>& found) {
  std::string text;
  for (const auto& inputs : found) {
    for (const auto& input : inputs) {
      for (const auto size : input.sizes()) {
        text += std::to_string(size) + " ";
      }
    }
    text += "| ";
  }
  return text;
}

TEST(OtherSizes, GrowAndShrinkAsFarAsTheModelAcceptsThem) {
  const auto any = written("Any", {{"w", {4, 6}}}, "    return torch.linear(x, self.w)\n");
  EXPECT_EQ(sizes_in(with_other_sizes(any, {torch::randn({2, 5, 6})})), "2 5 6 | 3 8 6 | 1 3 6 | ");
  const auto fixed = written("Fixed", {{"w", {4, 30}}},
                             "    return torch.linear(x.view(x.size(0), 30), self.w)\n");
  EXPECT_EQ(sizes_in(with_other_sizes(fixed, {torch::randn({2, 5, 6})})),
            "2 5 6 | 3 5 6 | 1 5 6 | ");
  // Sizes that have to be equal change together.
  const auto two = written("Two", {}, "    return (x * y.unsqueeze(-1)).sum(1)\n", "x, y");
  EXPECT_EQ(sizes_in(with_other_sizes(two, {torch::randn({2, 5, 3}), torch::randn({2, 5})})),
            "2 5 3 2 5 | 3 8 5 3 8 | 1 3 2 1 3 | ");
  // Multiples of 4 alone.
  const auto multiples = written("Multiples", {}, "    return x.view(x.size(0), -1, 4)\n");
  EXPECT_EQ(sizes_in(with_other_sizes(multiples, {torch::randn({2, 4})})), "2 4 | 3 8 | 1 4 | ");
}

// c * t in a view, where another size of the inputs is fixed.
TEST(OtherSizes, OfChannelsTimesStepsFollow) {
  const auto module = written(
      "Graph", {{"w0", {8, 3, 1, 1}}, {"w1", {8, 8, 1, 1}}, {"w2", {4, 8, 1, 1}}, {"a", {5, 5}}},
      "    h = torch.relu(torch.conv2d(x, self.w0))\n"
      "    n, c, t, v = h.shape\n"
      "    h = torch.matmul(h.view(n, c * t, v), self.a).view(n, c, t, v)\n"
      "    return torch.conv2d(torch.relu(torch.conv2d(h, self.w1)), self.w2)\n");
  const auto units = find_units(module, {torch::randn({2, 3, 8, 5})});
  ASSERT_EQ(groups_in(units), "w0 8; w1 8");
  for (const std::int64_t steps : {3, 8, 12}) {
    expect_cut_right(module, units, {torch::randn({5, 3, steps, 5})});
  }
}

// Branches and loops that the form of the input decides.
TEST(OtherForms, KeepWhatOnlyTheyRead) {
  const std::string begin = "    h = torch.relu(torch.linear(x, self.w0))\n";
  const std::string end = "    return torch.linear(h, self.w2)\n";
  const std::vector<std::string> bodies = {
      "    if x.dim() == 3:\n        h = torch.relu(torch.linear(h, self.w1)).mean(1)\n",
      "    if x.dim() == 3:\n        h = (h * torch.softmax(h, -1)).mean(1)\n",
      "    for i in range(x.dim() - 2):\n        h = torch.relu(torch.linear(h, "
      "self.w1)).mean(1)\n",
      "    if torch.is_grad_enabled():\n        h = torch.relu(torch.linear(h, self.w1))\n",
  };
  for (std::size_t i = 0; i < bodies.size(); ++i) {
    const auto module = written("Form" + std::to_string(i), kThree, begin + bodies[i] + end);
    const auto units = find_units(module, {torch::randn({5, 6})});
    EXPECT_EQ(groups_in(units).find("w0"), std::string::npos) << bodies[i] << groups_in(units);
    EXPECT_NE(reasons_in(units).find("w0: a trial"), std::string::npos)
        << bodies[i] << reasons_in(units);
  }
  const auto plain =
      written("Plain", kThree, begin + "    h = torch.relu(torch.linear(h, self.w1))\n" + end);
  EXPECT_EQ(groups_in(find_units(plain, {torch::randn({5, 6})})), "w0 16; w1 16");
}

// In a branch that the trial does not take.
TEST(Values, OfHowManyChannelsThereAreKeepThem) {
  const std::string begin =
      "    h = torch.relu(torch.linear(x, self.w0))\n    if bool(x.mean() > 2.0):\n";
  const std::string end = "    return torch.linear(h, self.w2)\n";
  const std::vector<std::string> bodies = {
      "        h = h * (float(h.size(1)) ** -0.5)\n",
      "        h = h + float(h.shape[1])\n",
      "        h = h * torch.arange(h.size(1)).sum()\n",
  };
  for (std::size_t i = 0; i < bodies.size(); ++i) {
    const auto module = written("Value" + std::to_string(i), kThree, begin + bodies[i] + end);
    const auto units = find_units(module, {torch::randn({5, 6})});
    EXPECT_EQ(groups_in(units), "") << bodies[i];
    EXPECT_NE(reasons_in(units).find("how many there are enters values"), std::string::npos)
        << bodies[i] << reasons_in(units);
  }
}

// Pooling over two dimensions of a tensor of three goes over its channels.
TEST(Pooling, OverChannelsKeepsThem) {
  const Shapes shapes = {{"w0", {16, 3, 1}}, {"w2", {4, 16, 1}}};
  const auto groups_with = [&](const std::string& name, const std::string& pooling) {
    const auto module = written(name, shapes,
                                "    h = torch.relu(torch.conv1d(x, self.w0))\n"
                                "    if x.size(2) > 10:\n"
                                "        h = " +
                                    pooling +
                                    "\n"
                                    "    return torch.conv1d(h, self.w2)\n");
    return groups_in(find_units(module, {torch::randn({2, 3, 6})}));
  };
  EXPECT_EQ(groups_with("Over", "torch.avg_pool2d(h, [3, 3], [1, 1], [1, 1])"), "");
  EXPECT_EQ(groups_with("Along", "torch.avg_pool1d(h, [3], [1], [1])"), "w0 16");
}

// Numbers that a branch or the values of the inputs decide.
TEST(Counts, ChosenByInputsKeepWhatTheyCount) {
  const std::string end =
      "    h = torch.relu(torch.linear(x, self.w0))\n"
      "    return torch.linear(torch.cat([h[:, :n], h[:, n:] * 0.5], 1), self.w2)\n";
  for (const std::string choice : {"    n = 16\n    if x.size(0) > 5:\n        n = 8\n",
                                   "    n = int((x.abs() * 0.0 + 8.0).max())\n"}) {
    const auto module = written("Chosen" + std::to_string(choice.size()), kThree, choice + end);
    const auto units = find_units(module, {torch::randn({2, 6})});
    EXPECT_EQ(groups_in(units), "") << choice;
    EXPECT_NE(reasons_in(units).find("say how many there are"), std::string::npos)
        << choice << reasons_in(units);
  }
}

}  // namespace
}  // namespace actswap
