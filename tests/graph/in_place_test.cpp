// Activations in place beside whatever else may see their memory. The oracle is the model's own
// source with the names of the functions exchanged: silu_ and relu_ write to the same memory.
#include <actswap/graph/retarget.h>

#include <gtest/gtest.h>

#include <map>

#include "models.h"

namespace actswap {
namespace {

using torch::jit::CompilationUnit;

struct Case {
  const char* name;
  const char* swapped;  ///< the activations that are replaced; the others stay
  std::string body;     ///< of forward; h is a tensor that nobody else has
  const char* child = "";
};

void PrintTo(const Case& given, std::ostream* out) {
  *out << given.name;
}

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  for (auto at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size())) {
    text.replace(at, from.size(), to);
  }
  return text;
}

/// With each of these activations exchanged for relu.
Model make_model(const Case& given, const std::vector<std::string>& exchanged = {}) {
  std::string root_code = "def forward(self, x: Tensor):\n  h = x * 2.0\n" + given.body;
  std::string child_code = given.child;
  for (const auto& name : exchanged) {
    root_code = replaced(root_code, name + "_(", "relu_(");
    child_code = replaced(child_code, name + "_(", "relu_(");
  }
  const auto unit = std::make_shared<CompilationUnit>();
  torch::jit::Module root("__torch__.Root", unit, true);
  root.register_attribute("training", c10::BoolType::get(), false);
  root.register_buffer("kept", torch::linspace(-2.0, 2.0, 24).reshape({4, 6}));
  root.register_attribute("cache", c10::TensorType::get(), torch::zeros({4, 6}));
  root.register_attribute("names", c10::ListType::ofStrings(), c10::List<std::string>({"h"}));
  c10::Dict<std::string, std::int64_t> layers;
  layers.insert("h", 0);
  const auto dict = c10::DictType::create(c10::StringType::get(), c10::IntType::get());
  root.register_attribute("layers", dict, layers);
  if (!child_code.empty()) {
    const auto child = make_module(unit, "Child", child_code);
    root.register_module("child", child);
    root.register_module("other", make_sibling(child));
  }
  root.define(root_code);
  root.eval();
  return adopt(root);
}

std::vector<torch::Tensor> run(const torch::jit::Module& module) {
  torch::manual_seed(1);
  return outputs_of(module, {torch::randn({4, 6})});
}

void check(const Case& given) {
  SCOPED_TRACE(std::string(given.name) + "\n" + given.body + given.child);
  const auto model = make_model(given);
  const auto the_plan = plan(model, {});
  std::vector<std::string> swapped;
  std::string names;
  std::string reasons;
  for (const auto& planned : the_plan.sites) {
    if (planned.target) {
      swapped.push_back(planned.site.activation.to_string());
      names += (names.empty() ? "" : " ") + swapped.back();
    }
    reasons += planned.site.id + ": " + planned.reason + "\n";
  }
  ASSERT_EQ(names, given.swapped) << reasons;
  if (swapped.empty()) {
    // An obstacle, or a form that is no activation because of what is written to in between: then
    // its sigmoid is a site of its own.
    EXPECT_TRUE(reasons.find("cannot be replaced") != std::string::npos ||
                reasons.find("sigmoid is replaced only where") != std::string::npos)
        << reasons;
    return;
  }
  Retargeter retargeter(model, the_plan);
  EXPECT_EQ(largest_difference(run(retargeter.module()), run(model.module)), 0.0) << "at t = 0";
  retargeter.set_blend(1.0);
  const auto expected = run(make_model(given, swapped).module);
  EXPECT_EQ(largest_difference(run(retargeter.module()), expected), 0.0) << "at t = 1";
  EXPECT_EQ(largest_difference(run(retargeter.finish()), expected), 0.0) << "finished";
}

// Every way to the memory of h that an operator gives, declared in its schema or not.
class InPlaceView : public testing::TestWithParam<const char*> {
 protected:
  static std::string view_of(const std::string& value) {
    return replaced(GetParam(), "VALUE", value);
  }
};

TEST_P(InPlaceView, ReadAfterTheWriteIsAnObstacle) {
  check({"taken before", "",
         "  v = " + view_of("h") + "\n  y = torch.silu_(h)\n  return y.sum() + v\n"});
  check({"written through it", "",
         "  v = " + view_of("h") + "\n  y = torch.silu_(v)\n  return y.sum() + h.sum()\n"});
  check({"of one another", "",
         "  v = " + view_of("h") + "\n  w = " + view_of("v.view([4, 6])") +
             "\n  y = torch.silu_(h)\n  return y.sum() + w\n"});
}

TEST_P(InPlaceView, ReadBeforeTheWriteOrTakenAfterItIsNone) {
  check({"read before", "silu",
         "  v = " + view_of("h").append(".sum()") + "\n  y = torch.silu_(h)\n  return y + v\n"});
  check({"of what was written to", "silu",
         "  y = torch.silu_(h)\n  v = " + view_of("h") + "\n  return y.sum() + v\n"});
  check({"of the output", "silu",
         "  y = torch.silu_(h)\n  v = " + view_of("y") + "\n  return h.sum() + v\n"});
  check({"read nowhere else", "silu",
         "  v = " + view_of("h") + "\n  y = torch.silu_(v)\n  return y + v\n"});
}

INSTANTIATE_TEST_SUITE_P(
    Views, InPlaceView,
    testing::Values("VALUE.view([-1])", "VALUE.view([4, 6])", "VALUE.ravel()",
                    "VALUE.reshape([24])", "VALUE.flatten()", "VALUE.contiguous()",
                    "VALUE.to(x.dtype)", "VALUE.type_as(x)", "VALUE.expand_as(x)",
                    "VALUE.view_as(x)", "VALUE.sum_to_size([4, 6])", "VALUE.moveaxis(0, 1)",
                    "VALUE.movedim(0, 1)", "VALUE.mT", "VALUE.t()", "VALUE.swapaxes(0, 1)",
                    "VALUE.unfold(1, 3, 3)", "VALUE.diagonal()", "VALUE.chunk(2, 1)[0]",
                    "VALUE.split(2, 1)[0]", "VALUE.unbind(1)[0]", "VALUE.tensor_split(2, 1)[1]",
                    "VALUE.unsafe_chunk(2, 1)[0]", "VALUE.unsqueeze(0)", "VALUE[0]",
                    "VALUE[:, 1:3]", "VALUE.detach()", "torch.real(VALUE)", "torch.positive(VALUE)",
                    "torch.conj(VALUE)", "torch.conj_physical(VALUE)",
                    "torch.dropout(VALUE, 0.5, False)", "torch.feature_dropout(VALUE, 0.5, False)",
                    "torch.alpha_dropout(VALUE, 0.5, False)", "torch.einsum(\"ij->ji\", [VALUE])",
                    "torch.atleast_2d(VALUE)", "torch.broadcast_tensors([VALUE])[0]",
                    "torch.atleast_1d([VALUE])[0]", "[VALUE, x][0]", "{\"a\": VALUE}[\"a\"]"));

class InPlace : public testing::TestWithParam<Case> {};

TEST_P(InPlace, IsSwappedWhereNothingElseSeesTheMemory) {
  check(GetParam());
}

const char* const kSame = "def same(self, x: Tensor) -> Tensor:\n  return x\n";
const char* const kWriter = "def act(self, x: Tensor) -> Tensor:\n  return torch.silu_(x) * 2.0\n";
const char* const kKeeper =
    "def keep(self, kept: List[Tensor], x: Tensor) -> None:\n  kept.append(x)\n";

INSTANTIATE_TEST_SUITE_P(
    Values, InPlace,
    testing::Values(
        Case{"alone", "silu", "  return torch.silu_(h)\n"},
        Case{"read under its own name", "silu", "  y = torch.silu_(h)\n  return y * h\n"},
        Case{"returned under its own name", "silu", "  torch.silu_(h)\n  return h\n"},
        Case{"a shape is no value", "silu",
             "  v = h.view([-1])\n  y = torch.silu_(h)\n  return y * v.size(0)\n"},
        Case{"a copy", "silu", "  v = h.clone()\n  y = torch.silu_(h)\n  return y * v\n"},
        Case{"one after the other", "silu mish", "  return torch.mish_(torch.silu_(h))\n"},
        Case{"one after the other, both seen", "",
             "  v = h.view([4, 6])\n  y = torch.mish_(torch.silu_(h))\n  return y + v\n"},
        Case{"the second seen", "silu",
             "  y = torch.silu_(h)\n  v = y.view([4, 6])\n  z = torch.mish_(y)\n  return z + v\n"},
        Case{"after another write", "silu",
             "  h.add_(1.0)\n  y = torch.silu_(h)\n  return y + h\n"},
        Case{"two parts", "silu mish",
             "  a, b = h.chunk(2, 1)\n  a = torch.silu_(a)\n  b = torch.mish_(b)\n"
             "  return torch.cat([a, b])\n"},
        Case{"one part beside the other", "silu",
             "  a, b = h.chunk(2, 1)\n  return torch.silu_(a) * b\n"},
        Case{"one part and the whole", "",
             "  a, b = h.chunk(2, 1)\n  return torch.silu_(a) * b + h.sum()\n"},
        Case{"parts of two cuts", "",
             "  a, b = h.chunk(2, 1)\n  c, d = h.chunk(2, 0)\n"
             "  return torch.silu_(a).sum() + b.sum() + d.sum()\n"},
        Case{"a part of a part", "silu",
             "  a, b = h.chunk(2, 1)\n  c, d = a.chunk(2, 0)\n  return torch.silu_(c) * d + "
             "b.sum()\n"},
        Case{"a buffer", "", "  return torch.silu_(self.kept) + h\n"},
        Case{"a view of a buffer", "", "  return torch.silu_(self.kept.view([-1])).sum() + h\n"},
        Case{"stored before", "", "  self.cache = h\n  return torch.silu_(h)\n"},
        Case{"stored before in the last run", "",
             "  y = torch.silu_(self.cache)\n  self.cache = h\n  return y\n"},
        Case{"stored after", "silu", "  y = torch.silu_(h)\n  self.cache = h\n  return y\n"},
        Case{"returned as well", "",
             "  v = h.view([-1])\n  y = torch.silu_(h)\n  return (y, v)\n"}));

// A feature extractor keeps what a list or dict of the model names.
std::string keeps_where(const std::string& condition) {
  return "  kept: List[Tensor] = []\n  if " + condition +
         ":\n    kept.append(h)\n  y = torch.silu_(h)\n  if len(kept) > 0:\n"
         "    y = y + kept[0]\n  return y\n";
}

INSTANTIATE_TEST_SUITE_P(
    Conditions, InPlace,
    testing::Values(Case{"a dict asks for it", "", keeps_where("\"h\" in self.layers")},
                    Case{"a dict asks for another", "silu", keeps_where("\"y\" in self.layers")},
                    Case{"a list asks for it", "", keeps_where("\"h\" in self.names")},
                    Case{"a list asks for another", "silu", keeps_where("\"y\" in self.names")},
                    Case{"a dict that the code adds to", "",
                         "  if bool(h.sum() > 1e9):\n    self.layers[\"y\"] = 1\n" +
                             keeps_where("\"y\" in self.layers")},
                    Case{"a list that the code adds to", "",
                         "  if bool(h.sum() > 1e9):\n    self.names.append(\"y\")\n" +
                             keeps_where("\"y\" in self.names")},
                    Case{"a list that is replaced", "",
                         "  if bool(h.sum() > 1e9):\n    self.names = [\"y\"]\n" +
                             keeps_where("\"y\" in self.names")},
                    Case{"a flag may be set later", "", keeps_where("self.training")}));

INSTANTIATE_TEST_SUITE_P(
    Containers, InPlace,
    testing::Values(
        Case{"in a list before", "",
             "  kept: List[Tensor] = []\n  kept.append(h)\n  y = torch.silu_(h)\n  return y + "
             "kept[0]\n"},
        Case{"in a list after", "silu",
             "  kept: List[Tensor] = []\n  y = torch.silu_(h)\n  kept.append(h)\n  kept.append(y)\n"
             "  return torch.cat(kept)\n"},
        Case{"in a list that is not read", "silu",
             "  kept: List[Tensor] = [h]\n  y = torch.silu_(h)\n  return y * len(kept)\n"},
        Case{"taken out of a list", "",
             "  kept: List[Tensor] = [h]\n  y = torch.silu_(kept.pop())\n  return y + h\n"},
        Case{"in a list of a list", "",
             "  kept: List[List[Tensor]] = [[h]]\n  y = torch.silu_(h)\n  return y + kept[0][0]\n"},
        Case{"in a list's copy", "",
             "  kept: List[Tensor] = [h]\n  more = kept + [x]\n  y = torch.silu_(h)\n"
             "  return torch.cat(more) + y.sum()\n"},
        Case{"in an extended list", "",
             "  more: List[Tensor] = []\n  more.extend([h])\n  y = torch.silu_(h)\n"
             "  return torch.cat(more) + y.sum()\n"},
        Case{"in a list under another name", "",
             "  kept: List[Tensor] = []\n  same = kept\n  same.append(h)\n  y = torch.silu_(h)\n"
             "  return y + kept[0]\n"},
        Case{"in a list that a method fills", "",
             "  kept: List[Tensor] = []\n  self.child.keep(kept, h)\n  y = torch.silu_(h)\n"
             "  return y + kept[0]\n",
             kKeeper},
        Case{"in a list that a method fills afterwards", "silu",
             "  kept: List[Tensor] = []\n  y = torch.silu_(h)\n  self.child.keep(kept, y)\n"
             "  return y + kept[0]\n",
             kKeeper},
        Case{"in a dict", "",
             "  kept: Dict[str, Tensor] = {}\n  kept[\"a\"] = h\n  y = torch.silu_(h)\n"
             "  return y + kept[\"a\"]\n"},
        Case{"among the values of a dict", "",
             "  kept = {\"a\": h}\n  y = torch.silu_(h)\n  return y + kept.values()[0]\n"},
        Case{"in a tuple", "silu", "  kept = (h, x)\n  y = torch.silu_(h)\n  return y + kept[0]\n"},
        Case{"beside it in a tuple", "silu",
             "  kept = (h, x)\n  y = torch.silu_(h)\n  return y + kept[1]\n"},
        Case{"in a tuple in a list", "",
             "  kept = [(h, x)]\n  a, b = kept[0]\n  y = torch.silu_(h)\n  return y + a + b\n"}));

INSTANTIATE_TEST_SUITE_P(
    Branches, InPlace,
    testing::Values(
        Case{"read in the other branch", "silu",
             "  if x.size(0) > 1:\n    y = torch.silu_(h)\n  else:\n    y = h * 3.0\n  return y\n"},
        Case{"read before, in the branch", "silu",
             "  if x.size(0) > 9:\n    y = h * 3.0\n  else:\n    y = torch.silu_(h)\n    y = y * "
             "h\n  return y\n"},
        Case{"read after the branch", "",
             "  if x.size(0) > 1:\n    y = torch.silu_(h)\n  else:\n    y = h * 3.0\n  return y + "
             "h\n"},
        Case{"in both branches", "silu mish",
             "  if x.size(0) > 1:\n    y = torch.silu_(h)\n  else:\n    y = torch.mish_(h)\n  "
             "return y\n"},
        Case{"in one of three", "silu",
             "  if x.size(0) > 9:\n    y = h * 3.0\n  elif x.size(0) > 1:\n    y = torch.silu_(h)\n"
             "  else:\n    y = h * 4.0\n  return y\n"},
        Case{"a view from a branch", "",
             "  if x.size(0) > 1:\n    v = h.view([4, 6])\n  else:\n    v = x\n"
             "  y = torch.silu_(h)\n  return y + v\n"},
        Case{"new in each branch", "silu",
             "  if x.size(0) > 1:\n    v = h * 2.0\n  else:\n    v = h * 3.0\n"
             "  y = torch.silu_(v)\n  return y + h\n"},
        Case{"one of two", "",
             "  k = x * 3.0\n  if x.size(0) > 1:\n    v = h\n  else:\n    v = k\n"
             "  y = torch.silu_(v)\n  return y + k\n"}));

INSTANTIATE_TEST_SUITE_P(
    Loops, InPlace,
    testing::Values(
        Case{"new in each round", "silu",
             "  for i in range(3):\n    h = torch.silu_(h * 2.0) + h\n  return h\n"},
        Case{"handed on", "silu", "  for i in range(3):\n    h = torch.silu_(h)\n  return h\n"},
        Case{"handed on and read", "silu",
             "  y = x\n  for i in range(3):\n    h = torch.silu_(h)\n    y = y + h\n  return y\n"},
        Case{"from outside", "",
             "  y = x\n  for i in range(3):\n    y = y + torch.silu_(h)\n  return y\n"},
        Case{"from outside, in a while loop", "",
             "  y = x\n  i = 0\n  while i < 3:\n    y = y + torch.silu_(h)\n    i += 1\n  return "
             "y\n"},
        Case{"read in the next round", "",
             "  y = x\n  last = x\n  for i in range(3):\n    y = y + last\n    h = y * 2.0\n"
             "    last = h.view([4, 6])\n    y = y + torch.silu_(h)\n  return y\n"},
        Case{"read two rounds later", "",
             "  y = x\n  a = x\n  b = x\n  c = x\n  for i in range(6):\n    y = y + a\n    a = b\n"
             "    b = c\n    h = y * 2.0\n    c = h.view([4, 6])\n    y = y + torch.silu_(h)\n"
             "  return y\n"},
        Case{"collected", "silu",
             "  all: List[Tensor] = []\n  for i in range(3):\n    h = torch.silu_(h * 2.0)\n"
             "    all.append(h)\n  return torch.cat(all)\n"},
        Case{"collected before", "",
             "  all: List[Tensor] = []\n  for i in range(3):\n    h = h * 2.0\n    all.append(h)\n"
             "    y = torch.silu_(h)\n  return torch.cat(all)\n"},
        Case{"a loop in a loop", "silu",
             "  for i in range(2):\n    for k in range(2):\n      h = torch.silu_(h * 2.0) + h\n"
             "  return h\n"},
        Case{"from outside a loop in a loop", "",
             "  y = x\n  for i in range(2):\n    h = y * 2.0\n    for k in range(2):\n"
             "      y = y + torch.silu_(h)\n  return y\n"}));

INSTANTIATE_TEST_SUITE_P(
    Calls, InPlace,
    testing::Values(
        Case{"what a method hands through", "",
             "  y = torch.silu_(self.child.same(h))\n  return y + h\n", kSame},
        Case{"what a method hands through, read by nobody", "silu",
             "  return torch.silu_(self.child.same(h))\n", kSame},
        Case{"what a method was given", "", "  y = self.child.act(h)\n  return y + h\n", kWriter},
        Case{"what a method was given alone", "silu", "  return self.child.act(h)\n", kWriter},
        Case{"what a method was given, read before", "silu",
             "  z = h * 3.0\n  return self.child.act(h) + z\n", kWriter},
        Case{"called twice, once seen", "",
             "  y = self.child.act(x * 3.0)\n  return self.child.act(h) + h + y\n", kWriter},
        Case{"of a method within a method", "", "  return self.child.outer(h) + h\n",
             "def act(self, x: Tensor) -> Tensor:\n  return torch.silu_(x) * 2.0\n"
             "def outer(self, x: Tensor) -> Tensor:\n  return self.act(x)\n"},
        Case{"what a method returns beside it", "",
             "  y, v = self.child.both(h)\n  return torch.silu_(y) + v\n",
             "def both(self, x: Tensor) -> Tuple[Tensor, Tensor]:\n  z = x + 1.0\n  return (z, "
             "z.view([4, 6]))\n"},
        Case{"what a method returns", "silu",
             "  y, v = self.child.both(h)\n  return torch.silu_(y) + v\n",
             "def both(self, x: Tensor) -> Tuple[Tensor, Tensor]:\n  return (x + 1.0, x)\n"}));

INSTANTIATE_TEST_SUITE_P(
    WrittenOut, InPlace,
    testing::Values(
        Case{"seen through a view", "",
             "  v = h.view([4, 6])\n  s = torch.sigmoid(h)\n  y = h.mul_(s)\n  return y + v\n"},
        Case{"what a part writes to is seen", "",
             "  e = torch.neg(h)\n  c = e.contiguous().exp_()\n  y = h / (1.0 + c)\n"
             "  return y + e\n"},
        Case{"its input changes in between", "",
             "  s = torch.sigmoid(h)\n  h.add_(1.0)\n  return h * s\n"},
        Case{"its input changes in between, by a view", "",
             "  v = h.view([4, 6])\n  s = torch.sigmoid(h)\n  v.add_(1.0)\n  return h * s\n"}));

// 2^25 rounds are not followed.
TEST(InPlaceLimit, WhatCannotBeFollowedStays) {
  std::string body;
  std::string indent = "  ";
  for (int i = 0; i < 25; ++i) {
    body += indent + "for i" + std::to_string(i) + " in range(2):\n";
    indent += " ";
  }
  body += indent + "h = torch.silu_(h * 2.0)\n  h = torch.mish_(h * 2.0)\n";
  body += "  return torch.selu(h)\n";
  const auto sites = find_sites(make_model({"deep", "", body}));
  ASSERT_EQ(sites.size(), 3U);
  for (const auto& site : sites) {
    EXPECT_EQ(site.obstacle,
              site.in_place
                  ? "the model's loops and calls are too many to tell what it writes in place"
                  : "")
        << site.id;
  }
}

// What stands in the way is of the object, not of its class.
TEST(InPlaceObjects, OfOneClassAreJudgedOneByOne) {
  const Case given{"two objects", "",
                   "  y = self.child.act(x * 3.0)\n  return self.other.act(h) + h + y\n", kWriter};
  const auto model = make_model(given);
  const auto sites = find_sites(model);
  ASSERT_EQ(sites.size(), 2U);
  EXPECT_EQ(sites[0].id, "child/act/0");
  EXPECT_EQ(sites[0].obstacle, "");
  EXPECT_EQ(sites[1].obstacle,
            "it writes in place to memory that 'add' reads afterwards under another name");
  Retargeter retargeter(model, plan(model, {}));
  retargeter.set_blend(1.0);
  const Case expected{"by hand", "",
                      "  y = torch.relu(x * 3.0) * 2.0\n  return self.other.act(h) + h + y\n",
                      kWriter};
  EXPECT_EQ(largest_difference(run(retargeter.finish()), run(make_model(expected).module)), 0.0);
}

}  // namespace
}  // namespace actswap
