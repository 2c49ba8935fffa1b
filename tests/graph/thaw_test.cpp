#include <actswap/base/error.h>
#include <actswap/graph/retarget.h>
#include <actswap/graph/thaw.h>

#include <gtest/gtest.h>

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

TEST(Thaw, SaysThatThereIsNothingToThaw) {
  auto model = load(test_model("scripted_module.pt"));
  EXPECT_THROW(thaw(model), UsageError);
}

}  // namespace
}  // namespace actswap
