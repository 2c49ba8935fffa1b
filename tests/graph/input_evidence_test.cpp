// What the code of a model says of its inputs.
#include <actswap/graph/input_evidence.h>

#include <gtest/gtest.h>
#include <torch/script.h>

#include "models.h"

namespace actswap {
namespace {

struct Weights {
  std::string name;
  torch::Tensor tensor;
};

torch::jit::Module model_of(const std::vector<Weights>& weights, const std::string& code) {
  torch::jit::Module module("m");
  for (const auto& [name, tensor] : weights) {
    module.register_parameter(name, tensor, false);
  }
  module.define(code);
  return module;
}

CodeEvidence evidence(const torch::jit::Module& module) {
  return input_evidence(module, InputLayout(module));
}

using Sizes = std::map<std::int64_t, std::int64_t>;

TEST(InputEvidence, OfConvolutions) {
  const auto found =
      evidence(model_of({{"w", torch::ones({4, 3, 5, 5}, torch::kFloat64)}},
                        "def forward(self, x):\n  x = x.contiguous() / 255.0\n"
                        "  return torch.conv2d(x, self.w, None, [1, 1], [0, 0], [1, 1], 2)\n"));
  ASSERT_EQ(found.inputs.size(), 1U);
  EXPECT_EQ(found.inputs[0].rank, 4);
  EXPECT_EQ(found.inputs[0].sizes, (Sizes{{1, 6}})) << "two groups of three channels";
  EXPECT_EQ(found.inputs[0].type, torch::kFloat64);
}

TEST(InputEvidence, OfLayersAndTables) {
  const auto found = evidence(
      model_of({{"w", torch::ones({4, 6})},
                {"table", torch::ones({30, 4})},
                {"small", torch::ones({7, 4})},
                {"m", torch::ones({6, 4})}},
               "def forward(self, x, ids, kinds, y):\n"
               "  h = torch.embedding(self.table, ids) + torch.embedding(self.small, kinds)\n"
               "  h = h + torch.embedding(self.small, ids)\n"
               "  return torch.linear(x, self.w) + h + torch.matmul(y, self.m)\n"));
  ASSERT_EQ(found.inputs.size(), 4U);
  EXPECT_EQ(found.inputs[0].sizes, (Sizes{{-1, 6}}));
  EXPECT_EQ(found.inputs[1].type, torch::kInt64);
  EXPECT_EQ(found.inputs[1].bound, 7) << "of the smallest table that it is looked up in";
  EXPECT_EQ(found.inputs[2].bound, 7);
  EXPECT_EQ(found.inputs[3].sizes, (Sizes{{-1, 6}}));
}

TEST(InputEvidence, OfFlattenedImagesAndComparisons) {
  const auto found = evidence(model_of({{"w", torch::ones({4, 784})}},
                                       "def forward(self, x):\n"
                                       "  assert x.size(2) == 28\n"
                                       "  return torch.linear(x.view([-1, 784]), self.w)\n"));
  EXPECT_EQ(found.inputs[0].elements, 784);
  EXPECT_TRUE(found.sizes.contains(28));
}

TEST(InputEvidence, OfPatchesAndTheirPositions) {
  const auto found = evidence(
      model_of({{"w", torch::ones({12, 3, 16, 16})}, {"positions", torch::ones({1, 37, 12})}},
               "def forward(self, x):\n"
               "  x = torch.conv2d(x, self.w, None, [16, 16]).flatten(2).transpose(1, 2)\n"
               "  return x + self.positions\n"));
  EXPECT_TRUE(found.sizes.contains(96)) << "6 x 6 patches of 16, and a class token";
}

TEST(InputEvidence, OfAKeyInADict) {
  const auto found = evidence(
      model_of({{"table", torch::ones({30, 4})}},
               "def forward(self, d: Dict[str, Tensor]):\n"
               "  return torch.embedding(self.table, d['ids']) * d['mask'].unsqueeze(-1)\n"));
  ASSERT_EQ(found.inputs.size(), 2U);
  EXPECT_EQ(found.inputs[0].bound, 30);
  EXPECT_TRUE(found.inputs[1].is_empty());
}

}  // namespace
}  // namespace actswap
