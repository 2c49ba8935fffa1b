// Code that computes with the sizes of what it prunes: a cut gives what silent units give, however
// many go, and for inputs of other sizes too. Or the units stay.
#include <actswap/prune/units.h>

#include <torch/script.h>

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <string>
#include <vector>

#include "calibrate/written.h"
#include "models.h"

namespace actswap {
namespace {

using Inputs = std::vector<torch::Tensor>;

// Of each group so many, the last ones and no more than all but one.
KeptUnits without_last(const Units& units, std::size_t count) {
  auto keep = keep_all(units);
  for (auto& group : keep) {
    for (std::size_t i = 0; i < std::min(count, group.size() - 1); ++i) {
      group[group.size() - 1 - i] = false;
    }
  }
  return keep;
}

std::vector<std::string> names(const Units& units) {
  std::vector<std::string> found;
  for (const auto& group : units.groups) {
    found.push_back(group.name);
  }
  return found;
}

// @return the names of what can be pruned
std::vector<std::string> expect_right_cuts(const torch::jit::Module& module, const Inputs& inputs,
                                           const std::vector<Inputs>& others) {
  const auto units = find_units(module, inputs);
  for (const std::size_t count : {1, 3, 5, 100}) {
    const auto keep = without_last(units, count);
    auto silent = module.deepcopy();
    silence(silent, units, keep);
    const auto smaller = cut(module, units, keep);
    for (const auto& each : others) {
      EXPECT_LT(largest_difference(outputs_of(smaller, each), outputs_of(silent, each)), 1e-5)
          << count << " less, " << each[0].sizes();
    }
  }
  return names(units);
}

using Names = std::vector<std::string>;

// The dimension of 8 x 6 x 6 numbers grows with the image.
TEST(Sizes, OfChannelsTimesPixelsFollowTheInputs) {
  const auto module = written(
      "Flattens", {{"e", {8, 3, 3, 3}}, {"h", {8, 8, 1, 1}}, {"d", {3, 4, 1, 1}}},
      "    z = torch.conv2d(torch.relu(torch.conv2d(x, self.e, None, [1, 1], [1, 1])), self.h)\n"
      "    z = z.flatten(1)\n"
      "    n = z.shape[1] // 2\n"
      "    y = z[:, :n] * torch.exp(0.5 * z[:, n:])\n"
      "    return torch.conv2d(y.view(x.size(0), -1, x.size(2), x.size(3)), self.d)\n");
  EXPECT_EQ(expect_right_cuts(module, {torch::randn({2, 3, 6, 6})},
                              {{torch::randn({2, 3, 6, 6})}, {torch::randn({5, 3, 8, 10})}}),
            (Names{"e", "h"}));
}

// The batch size is no number of the code, though it is one of a dimension with channels.
TEST(Sizes, OfChannelsTimesExamplesFollowTheInputs) {
  const auto module =
      written("ByChannel", {{"a", {8, 3}}, {"f", {12, 8}}, {"g", {2, 12}}},
              "    h = torch.linear(x, self.a)\n"
              "    b, c = h.shape\n"
              "    h = torch.tanh(h.reshape(b * c, 1))\n"
              "    h = h.view(h.size(0) // c, c)\n"
              "    return torch.linear(torch.relu(torch.linear(h, self.f)), self.g)\n");
  const auto found = expect_right_cuts(module, {torch::randn({2, 3})},
                                       {{torch::randn({2, 3})}, {torch::randn({7, 3})}});
  EXPECT_TRUE(std::ranges::find(found, "f") != found.end());
}

TEST(Sizes, InAListThatIsComputedCannotBeOthers) {
  const auto module = written("Halves", {{"a", {16, 6}}, {"b", {5, 16}}},
                              "    h = torch.relu(torch.linear(x, self.a))\n"
                              "    p, q = h.split([h.size(1) // 2] * 2, 1)\n"
                              "    return torch.linear(torch.cat([q, p.sin()], 1), self.b)\n");
  const Inputs inputs = {torch::randn({2, 6})};
  EXPECT_EQ(expect_right_cuts(module, inputs, {inputs}), Names{});
  const auto units = find_units(module, inputs);
  EXPECT_EQ(units.rest.at(0).reason, "its number stands in a list that is computed");
}

TEST(Sizes, OfAnotherTensorHaveToStayTheSame) {
  const auto module =
      written("Alike", {{"a", {16, 8}}, {"c", {16, 8}}, {"b", {5, 16}}, {"d", {5, 16}}},
              "    h = torch.relu(torch.linear(x, self.a))\n"
              "    y = torch.relu(torch.linear(x, self.c)).view(h.shape)\n"
              "    return torch.linear(h, self.b) + torch.linear(y, self.d)\n");
  const Inputs inputs = {torch::randn({2, 8})};
  expect_right_cuts(module, inputs, {inputs});
}

TEST(Sizes, ThatDecideWhatCodeDoesStay) {
  const auto module = written("Decides", {{"a", {16, 6}}, {"b", {5, 16}}},
                              "    h = torch.relu(torch.linear(x, self.a))\n"
                              "    if h.size(1) >= 6:\n"
                              "        h = torch.sin(3.0 * h)\n"
                              "    return torch.linear(h, self.b)\n");
  const Inputs inputs = {torch::randn({2, 6})};
  EXPECT_EQ(expect_right_cuts(module, inputs, {inputs}), Names{});
  EXPECT_EQ(find_units(module, inputs).rest.at(0).reason, "the code asks how many there are");

  const auto repeats = written("Repeats", {{"a", {16, 6}}, {"b", {5, 16}}},
                               "    h = torch.relu(torch.linear(x, self.a))\n"
                               "    for i in range(h.size(1) // 8):\n"
                               "        h = torch.sin(3.0 * h)\n"
                               "    return torch.linear(h, self.b)\n");
  EXPECT_EQ(expect_right_cuts(repeats, inputs, {inputs}), Names{});
}

// A check that raises decides nothing, and the number that a norm asks for can be written anew.
TEST(Sizes, ThatAreOnlyCheckedMayBeOthers) {
  const auto module = written("Checks", {{"a", {16, 6}}, {"w", {16}}, {"b", {5, 16}}},
                              "    h = torch.relu(torch.linear(x, self.a))\n"
                              "    assert h.size(1) == 16\n"
                              "    for i in range(len(h.shape) - 1):\n"
                              "        h = h * self.w\n"
                              "    return torch.linear(h, self.b)\n");
  const Inputs inputs = {torch::randn({2, 6})};
  EXPECT_EQ(expect_right_cuts(module, inputs, {inputs}), Names{"a"});
}

// Some of the units are read twice.
TEST(Units, WithMoreEntriesThanOthersAreAGroupOfTheirOwn) {
  const auto module =
      written("Again", {{"a", {16, 6}}, {"b", {5, 20}}},
              "    h = torch.relu(torch.linear(x, self.a))\n"
              "    return torch.linear(torch.cat([h, h[:, :4].sin()], 1), self.b)\n");
  const Inputs inputs = {torch::randn({2, 6})};
  EXPECT_EQ(expect_right_cuts(module, inputs, {inputs}), (Names{"a", "a"}));
}

// What two calls share is not written, and does not hinder others.
TEST(Units, OfCodeThatRunsTwiceStayAlone) {
  const auto module =
      written("Gates", {{"a", {16, 6}}, {"b", {32, 8}}, {"c", {12, 16}}, {"d", {3, 12}}},
              "    y = self.gate(torch.linear(self.gate(torch.linear(x, self.a)), self.b))\n"
              "    return torch.linear(torch.tanh(torch.linear(y, self.c)), self.d)\n"
              "def gate(self, x):\n"
              "    c = x.size(1) // 2\n"
              "    return x[:, :c] * x[:, c:]\n");
  const Inputs inputs = {torch::randn({2, 6})};
  EXPECT_EQ(expect_right_cuts(module, inputs, {inputs}), Names{"c"});
}

// Nothing runs such code while units are found.
TEST(Sizes, NumbersOfMethodsThatForwardDoesNotCallStay) {
  auto module = written(
      "Exports", {{"a", {8, 3}}, {"b", {12, 8}}, {"c", {2, 12}}},
      "    return torch.linear(torch.relu(torch.linear(torch.relu(torch.linear(x, self.a)), "
      "self.b)), self.c)\n");
  module.define("def features(self, h):\n    return torch.relu(h).view(-1, 12)\n");
  module.define("def size(self) -> int:\n    return 8\n");
  const auto units = find_units(module, {torch::randn({6, 3})});
  EXPECT_EQ(names(units), Names{"a"});
  ASSERT_FALSE(units.rest.empty());
  EXPECT_EQ(units.rest[0].reason,
            "the method 'features', which forward does not call, has the number 12");
}

// An LSTM's forward for packed sequences names the LSTM's sizes, which stay anyway.
TEST(Sizes, OverloadsOfForwardFreezeNothing) {
  const auto model = load(test_model("recurrent.pt"));
  EXPECT_EQ(names(find_units(model.module, recorded("recurrent").inputs)), Names{"after"});
}

TEST(Sizes, LayersThatSuchMethodsReadStay) {
  auto module = written("Heads", {{"a", {8, 3}}, {"b", {12, 8}}, {"c", {2, 12}}, {"d", {5, 8}}},
                        "    h = torch.relu(torch.linear(x, self.a))\n"
                        "    return torch.linear(torch.relu(torch.linear(h, self.b)), self.c)\n");
  module.define(
      "def second(self, x):\n"
      "    return torch.linear(torch.relu(torch.linear(x, self.a)), self.d)\n");
  const auto units = find_units(module, {torch::randn({6, 3})});
  EXPECT_EQ(names(units), Names{"b"});
  ASSERT_FALSE(units.rest.empty());
  EXPECT_EQ(units.rest[0].reason, "the method 'second', which forward does not call, reads it");
}

TEST(Sizes, LayersWhoseWeightsAListHoldsStay) {
  auto module = written("Lists", {{"a", {8, 3}}, {"b", {12, 8}}, {"c", {2, 12}}},
                        "    h = torch.relu(torch.linear(x, self.a))\n"
                        "    return torch.linear(torch.relu(torch.linear(h, self.b)), self.c)\n");
  const auto a = module.attr("a").toTensor();
  module.register_attribute("weights", c10::ListType::ofTensors(), c10::List<torch::Tensor>({a}));
  EXPECT_EQ(names(find_units(module, {torch::randn({6, 3})})), Names{"b"});
}

// What a caller may choose decides which code runs, and which units it reads.
TEST(Sizes, ArgumentsAreNotTakenForWhatTheyAreByDefault) {
  const auto units_of = [&](const std::string& argument, const std::string& between) {
    const auto module =
        written("Arguments", {{"a", {8, 3}}, {"b", {12, 8}}, {"c", {2, 12}}},
                "    h = torch.relu(torch.linear(x, self.a))\n" + between +
                    "    return torch.linear(torch.relu(torch.linear(h, self.b)), self.c)\n",
                "x" + argument);
    return names(find_units(module, {torch::randn({6, 3})}));
  };
  const Names both = {"a", "b"};
  EXPECT_EQ(units_of("", ""), both);
  EXPECT_EQ(units_of(", k: int = 0", "    if k == 1:\n        h = h * 2.0\n"), both)
      << "either way the units are the same";
  const Names second = {"b"};
  EXPECT_EQ(units_of(", k: int = 0", "    if k == 1:\n        h = h.cumsum(1)\n"), second);
  EXPECT_EQ(units_of(", k: int = 0", "    h = torch.cat([h[:, k:k + 2], h], 1)[:, 2:]\n"), second);
  EXPECT_EQ(units_of(", k: int = 0", "    for i in range(k):\n        h = h.cumsum(1)\n"), second);
  EXPECT_EQ(units_of(", mode: str = 'a'", "    if mode == 'b':\n        h = h.cumsum(1)\n"),
            second);
  EXPECT_EQ(units_of(", e: Optional[Tensor] = None", "    if e is not None:\n        h = h + e\n"),
            second);
}

TEST(Sizes, AttributesThatCodeSetsAreNotTakenForWhatTheyAre) {
  auto module = written("Attribute", {{"a", {8, 3}}, {"b", {12, 8}}, {"c", {2, 12}}},
                        "    h = torch.relu(torch.linear(x, self.a))\n"
                        "    if self.other == 1:\n"
                        "        h = h.cumsum(1)\n"
                        "    return torch.linear(torch.relu(torch.linear(h, self.b)), self.c)\n",
                        "x", {{"other", 0}});
  const torch::Tensor x = torch::randn({6, 3});
  EXPECT_EQ(names(find_units(module, {x})), (Names{"a", "b"}));
  module.define("def switch(self):\n    self.other = 1\n");
  EXPECT_EQ(names(find_units(module, {x})), Names{"b"});
}

}  // namespace
}  // namespace actswap
