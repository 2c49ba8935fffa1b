#include <actswap/graph/model.h>
#include <actswap/graph/reload.h>

#include <gtest/gtest.h>

#include "ir.h"
#include "models.h"

namespace actswap {
namespace {

torch::Tensor attribute(const torch::jit::Module& module, const std::string& name) {
  return module.attr(name).toTensor();
}

/// Two names of one tensor, and two halves of one storage.
torch::jit::Module make_tied() {
  auto module = make_module(std::make_shared<torch::jit::CompilationUnit>(), "Tied",
                            "def forward(self, x: Tensor) -> Tensor:\n  return x\n");
  const auto weight = torch::arange(6.0).set_requires_grad(true);
  module.register_parameter("a", weight, false);
  module.register_parameter("b", weight, false);
  module.register_buffer("first", weight.detach().slice(0, 0, 3));
  module.register_buffer("second", weight.detach().slice(0, 3, 6));
  module.register_buffer("columns", torch::ones({2, 3}).t());
  return module;
}

TEST(Reload, RecompiledCodeHasTheSameTensors) {
  for (const auto& entry : test_models()) {
    const auto model = load(entry.path);
    const auto io = recorded(entry.name);
    const auto copy = recompile(model.module);
    EXPECT_EQ(largest_difference(outputs_of(copy, io.inputs), outputs_of(model.module, io.inputs)),
              0.0)
        << entry.name;
    EXPECT_NE(copy._ivalue(), model.module._ivalue()) << entry.name;
    if (!entry.name.starts_with("stateful")) {
      const auto before = model.module.parameters();
      const auto after = copy.parameters();
      ASSERT_EQ(before.size(), after.size()) << entry.name;
      auto other = after.begin();
      for (const auto& tensor : before) {
        EXPECT_TRUE((*other).is_same(tensor)) << entry.name;
        ++other;
      }
    }
  }
}

TEST(Reload, CopiesAreTheirOwn) {
  for (const auto& entry : test_models()) {
    const auto model = load(entry.path);
    const auto io = recorded(entry.name);
    const auto copy = reload(model.module);
    EXPECT_EQ(largest_difference(outputs_of(copy, io.inputs), outputs_of(model.module, io.inputs)),
              0.0)
        << entry.name;
    const torch::NoGradGuard no_grad;
    for (const auto& parameter : copy.parameters()) {
      torch::Tensor(parameter).add_(1.0);
    }
    EXPECT_EQ(largest_difference(outputs_of(model.module, io.inputs), io.outputs),
              largest_difference(outputs_of(load(entry.path).module, io.inputs), io.outputs))
        << entry.name << ": the original's tensors stay";
  }
}

TEST(Reload, WhatIsTiedStaysTied) {
  const auto module = make_tied();
  const auto copy = reload(module);
  EXPECT_TRUE(attribute(copy, "a").is_same(attribute(copy, "b")));
  EXPECT_TRUE(attribute(copy, "first").is_alias_of(attribute(copy, "a")));
  EXPECT_TRUE(attribute(copy, "first").is_alias_of(attribute(copy, "second")));
  EXPECT_FALSE(attribute(copy, "a").is_alias_of(attribute(module, "a")));
  EXPECT_EQ(attribute(copy, "columns").strides(), attribute(module, "columns").strides());
  EXPECT_TRUE(attribute(copy, "a").requires_grad());
  EXPECT_TRUE(torch::equal(attribute(copy, "second"), torch::tensor({3.0F, 4.0F, 5.0F})));
}

/// As a recurrent layer has its weights: as parameters, and in a list. Others may be in a dict, a
/// tuple or an object of another class.
torch::jit::Module make_with_containers(const torch::Tensor& weight) {
  const auto unit = std::make_shared<torch::jit::CompilationUnit>();
  auto module = make_module(unit, "Lists", "def unused(self) -> int:\n  return 0\n");
  module.register_parameter("weight", weight, false);
  module.register_attribute("list", c10::ListType::ofTensors(), c10::List<torch::Tensor>({weight}));
  c10::Dict<std::string, torch::Tensor> dict;
  dict.insert("w", weight);
  module.register_attribute(
      "dict", c10::DictType::create(c10::StringType::get(), c10::TensorType::get()), dict);
  module.register_attribute("tuple",
                            c10::TupleType::create({c10::TensorType::get(), c10::IntType::get()}),
                            c10::ivalue::Tuple::create(weight, 1));
  module.define(
      "def forward(self, x: Tensor) -> Tensor:\n"
      "  return x * self.list[0] + self.dict['w'] + self.tuple[0]\n");
  return module;
}

TEST(Reload, ListsDictsAndTuplesHoldTheParametersThemselves) {
  const auto weight = torch::arange(3.0).set_requires_grad(true);
  const auto module = make_with_containers(weight);
  for (const bool shares : {true, false}) {
    auto copy = shares ? recompile(module) : reload(module);
    const auto parameter = attribute(copy, "weight");
    EXPECT_EQ(parameter.is_same(weight), shares);
    const torch::Tensor in_list = copy.attr("list").toTensorVector().at(0);
    EXPECT_TRUE(in_list.is_same(parameter));
    EXPECT_TRUE(copy.attr("dict").toGenericDict().at("w").toTensor().is_same(parameter));
    EXPECT_TRUE(copy.attr("tuple").toTupleRef().elements()[0].toTensor().is_same(parameter));
    copy.forward({torch::ones({3})}).toTensor().sum().backward();
    EXPECT_TRUE(torch::equal(parameter.grad(), torch::full({3}, 3.0)));
    parameter.mutable_grad() = torch::Tensor();
  }
}

}  // namespace
}  // namespace actswap
