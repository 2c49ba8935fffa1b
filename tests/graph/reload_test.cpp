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

}  // namespace
}  // namespace actswap
