#include <actswap/base/error.h>
#include <actswap/graph/retarget.h>
#include <actswap/graph/thaw.h>

#include <gtest/gtest.h>

#include "ir.h"
#include "models.h"

namespace actswap {
namespace {

TEST(Thaw, MakesConstantWeightsTrainable) {
  auto model = load(test_model("frozen.pt"));
  const auto io = recorded("frozen");
  EXPECT_EQ(parameter_count(model.module), 0);
  // Freezing folds the batch norms: weight and bias of three convolutions and a linear layer.
  EXPECT_EQ(thaw(model), 8U);
  EXPECT_EQ(parameter_count(model.module), (8 * 3 * 9 + 8) + 2 * (8 * 8 * 9 + 8) + (4 * 8 + 4));
  EXPECT_EQ(largest_difference(outputs_of(model.module, io.inputs),
                               outputs_of(load(test_model("frozen.pt")).module, io.inputs)),
            0.0);

  Retargeter swap(model, plan(model, {}));
  swap.set_blend(0.5);
  swap.module().forward({io.inputs[0]}).toTensor().pow(2).sum().backward();
  for (const auto& parameter : swap.module().named_parameters()) {
    EXPECT_TRUE(parameter.value.grad().defined()) << parameter.name;
  }
}

TEST(Thaw, ConstantsThatAreReadAsWeightsBecomeAttributes) {
  const auto unit = std::make_shared<torch::jit::CompilationUnit>();
  torch::jit::Module root(c10::QualifiedName("__torch__.Root"), unit, true);
  root.register_attribute("training", c10::BoolType::get(), false);
  root.register_parameter("weight", torch::ones({3, 2}), false);
  root.register_parameter("scale", torch::full({2}, 0.5), false);
  root.define(
      "def forward(self, x: Tensor) -> Tensor:\n"
      "  return torch.mish(torch.matmul(x, self.weight)) * self.scale\n");
  auto model = adopt(torch::jit::freeze(root));
  EXPECT_EQ(thaw(model), 1U) << "a factor is no weight";
  EXPECT_EQ(canonical(graph_of(model.module)), R"IR(graph(%0 : __torch__.___torch_mangle_0.Root,
      %1 : Tensor):
  %2 : Tensor = prim::Constant[value= 0.5000  0.5000 [ CPUFloatType{2} ]]()
  %3 : Tensor = prim::GetAttr[name="thawed_0"](%0)
  %4 : Tensor = aten::matmul(%1, %3)
  %5 : Tensor = aten::mish(%4)
  %6 : Tensor = aten::mul(%5, %2)
  return (%6)
)IR");
  EXPECT_EQ(model.module.attr("thawed_0").toTensor().sizes(), (std::vector<std::int64_t>{3, 2}));
}

TEST(Thaw, FactorsAndOffsetsBehindALayerAndMatricesOfEinsumAreWeights) {
  const auto unit = std::make_shared<torch::jit::CompilationUnit>();
  torch::jit::Module root(c10::QualifiedName("__torch__.Root"), unit, true);
  root.register_attribute("training", c10::BoolType::get(), false);
  root.register_parameter("w", torch::randn({4, 3, 1, 1}), false);
  root.register_parameter("scale", torch::randn({4, 1, 1}), false);
  root.register_parameter("offset", torch::randn({1, 4, 1, 1}), false);
  root.register_parameter("matrix", torch::randn({5, 4}), false);
  root.register_buffer("grid", torch::randn({1, 2, 3}));
  root.define(
      "def forward(self, x: Tensor) -> Tensor:\n"
      "  y = torch.mish(torch.conv2d(x, self.w) * self.scale * 2.0 + self.offset)\n"
      "  z = torch.einsum('nchw,oc->nohw', [y * self.scale, self.matrix])\n"
      "  return torch.conv2d(x, self.w)[:, 0:1, 0:2, 0:3] * self.grid + z.sum()\n");
  auto model = adopt(torch::jit::freeze(root));
  const std::vector<torch::Tensor> inputs = {torch::randn({2, 3, 2, 3})};
  const auto before = outputs_of(model.module, inputs);
  EXPECT_EQ(thaw(model), 4U) << "w, scale, offset and matrix; a grid of several dimensions is none";
  EXPECT_EQ(largest_difference(outputs_of(model.module, inputs), before), 0.0);
}

TEST(Thaw, SaysThatThereIsNothingToThaw) {
  auto model = load(test_model("scripted_module.pt"));
  EXPECT_THROW(thaw(model), UsageError);
}

}  // namespace
}  // namespace actswap
