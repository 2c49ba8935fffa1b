#include <actswap/graph/plan.h>
#include <actswap/measure/site_cost.h>
#include <actswap/measure/site_gain.h>

#include <gtest/gtest.h>
#include <torch/script.h>

#include "models.h"

namespace actswap {
namespace {

// nn.TransformerEncoder makes a nested tensor, which has no sizes, of a batch with a padding mask.
TEST(SiteCost, OfANestedTensorThePaddedShapeCounts) {
  const auto unit = std::make_shared<torch::jit::CompilationUnit>();
  const auto module = make_module(unit, "Nested",
                                  "def forward(self, x, mask):\n"
                                  "  y = torch._nested_tensor_from_mask(x, mask, False)\n"
                                  "  return torch.to_padded_tensor(torch.gelu(y), 0.0)\n");
  const auto model = adopt(module);
  auto mask = torch::ones({4, 5}, torch::kBool);
  mask.index_put_({0, torch::indexing::Slice(3)}, false);
  const std::vector<torch::Tensor> inputs = {torch::randn({4, 5, 6}), mask};
  const auto costs = measure_sites(model, inputs, 2);
  ASSERT_EQ(costs.size(), 1U);
  EXPECT_EQ(costs.begin()->second.shape, (std::vector<std::int64_t>{4, 5, 6}));
  EXPECT_EQ(costs.begin()->second.calls, 1);
  const auto gains = measure_gains(model, plan(model, {.to = "relu"}), inputs, 2, {});
  EXPECT_EQ(gains.sites.size(), 1U);
}

}  // namespace
}  // namespace actswap
