#include <actswap/graph/attributes.h>

#include <gtest/gtest.h>

#include "ir.h"
#include "models.h"

namespace actswap {
namespace {

torch::jit::Module make_scale(const std::shared_ptr<torch::jit::CompilationUnit>& unit,
                              const std::string& methods) {
  torch::jit::Module module(c10::QualifiedName("__torch__.Scale"), unit, true);
  module.register_attribute("training", c10::BoolType::get(), true);
  module.register_attribute("factor", c10::FloatType::get(), 2.0);
  module.register_parameter("weight", torch::full({3}, 0.5), false);
  module.define(methods);
  return module;
}

torch::jit::Module make_other(const torch::jit::Module& module, double factor) {
  auto other = make_sibling(module);
  other.setattr("factor", factor);
  other.setattr("weight", torch::full({3}, 0.5));
  return other;
}

torch::jit::Module make_root(const std::shared_ptr<torch::jit::CompilationUnit>& unit,
                             const torch::jit::Module& a, const torch::jit::Module& b) {
  return make_module(unit, "Root",
                     "def forward(self, x: Tensor) -> Tensor:\n"
                     "  return self.b.forward(self.a.forward(x))\n",
                     {{"a", a}, {"b", b}});
}

constexpr char kForward[] =
    "def forward(self, x: Tensor) -> Tensor:\n  return x * self.factor + self.weight\n";

/// What is noted on the read of the attribute in the forward of a child of root.
std::optional<double> noted_on(const torch::jit::Module& root, const std::string& child,
                               const std::string& attribute) {
  for (const auto* node : graph_of(root.attr(child).toModule())->nodes()) {
    if (node->kind() == c10::prim::GetAttr && node->s(c10::attr::name) == attribute) {
      const auto number = noted_number(node->output());
      return number ? number : noted_tensor(node->output());
    }
  }
  return std::nullopt;
}

TEST(Attributes, AreNotedWhereTheyAreRead) {
  const auto unit = std::make_shared<torch::jit::CompilationUnit>();
  const auto a = make_scale(unit, kForward);
  const auto root = make_root(unit, a, make_other(a, 2.0));
  EXPECT_EQ(note_attributes(root)._ivalue(), root._ivalue()) << "equal numbers split no class";
  EXPECT_EQ(noted_on(root, "a", "factor"), 2.0);
  EXPECT_EQ(noted_on(root, "a", "weight"), 0.5);
}

TEST(Attributes, ObjectsThatDifferGetClassesOfTheirOwn) {
  const auto unit = std::make_shared<torch::jit::CompilationUnit>();
  const auto a = make_scale(unit, kForward);
  const auto root = note_attributes(make_root(unit, a, make_other(a, 3.0)));
  EXPECT_NE(root.attr("a").toModule().type(), root.attr("b").toModule().type());
  EXPECT_EQ(noted_on(root, "a", "factor"), 2.0);
  EXPECT_EQ(noted_on(root, "b", "factor"), 3.0);
}

TEST(Attributes, WhatIsSetIsNotNoted) {
  const auto unit = std::make_shared<torch::jit::CompilationUnit>();
  const auto a = make_scale(
      unit, std::string(kForward) + "def grow(self) -> None:\n  self.factor = self.factor + 1\n");
  const auto given = make_root(unit, a, make_other(a, 3.0));
  const auto root = note_attributes(given);
  EXPECT_EQ(root._ivalue(), given._ivalue());
  EXPECT_EQ(noted_on(root, "a", "factor"), std::nullopt);
}

// As a converter of ONNX files writes constants: x * clamp(x + three, 0, 6) / six.
TEST(Attributes, BuffersOfOneElementAreNumbers) {
  const auto module_with = [](const std::string& methods, const torch::Tensor& three) {
    torch::jit::Module module("__torch__.Net");
    module.register_attribute("training", c10::BoolType::get(), true);
    module.register_buffer("three", three);
    module.register_buffer("six", torch::full({1}, 6.0));
    module.register_buffer("other", three);
    module.define(
        "def forward(self, x: Tensor) -> Tensor:\n"
        "  return x * torch.clamp(x + self.three, 0., 6.) / self.six\n" +
        methods);
    return note_attributes(module);
  };
  const auto found = [&](const std::string& methods, const torch::Tensor& three) {
    const auto module = module_with(methods, three);
    for (const auto* node : graph_of(module)->nodes()) {
      if (node->kind() == c10::prim::GetAttr && node->s(c10::attr::name) == "three") {
        return noted_number(node->output());
      }
    }
    return std::optional<double>();
  };
  EXPECT_EQ(found("", torch::full({}, 3.0)), 3.0);
  EXPECT_EQ(found("", torch::full({1}, 3.0)), 3.0);
  EXPECT_EQ(found("", torch::full({2}, 3.0)), std::nullopt);
  EXPECT_EQ(found("", torch::full({1, 1}, 3.0)), std::nullopt) << "the output has more dimensions";
  EXPECT_EQ(found("", torch::full({}, 3.0).requires_grad_()), std::nullopt) << "it may be learnt";
  EXPECT_EQ(found("def grow(self) -> None:\n  self.three = self.three + 1\n", torch::full({}, 3.0)),
            std::nullopt);
  EXPECT_EQ(found("def grow(self) -> None:\n  self.three.add_(1)\n", torch::full({}, 3.0)),
            std::nullopt);
  EXPECT_EQ(found("def grow(self) -> None:\n  self.other.add_(1)\n", torch::full({}, 3.0)),
            std::nullopt)
      << "the same tensor under another name";
  EXPECT_EQ(found("def write(self, x: Tensor) -> Tensor:\n"
                  "  return torch.clamp(x, 0., 6., out=self.three)\n",
                  torch::full({}, 3.0)),
            std::nullopt);
  EXPECT_EQ(found("def give(self) -> Tensor:\n  return self.three\n", torch::full({}, 3.0)),
            std::nullopt)
      << "a caller may write to it";
}

}  // namespace
}  // namespace actswap
