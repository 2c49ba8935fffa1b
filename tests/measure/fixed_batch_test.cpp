#include <actswap/data/fixed_batches.h>
#include <actswap/measure/fixed_batch.h>

#include <gtest/gtest.h>
#include <torch/script.h>

#include "models.h"

namespace actswap {
namespace {

constexpr std::int64_t kFeatures = 6;

Model model_of(const std::string& result, std::int64_t recorded) {
  torch::jit::Module module("net");
  module.define("def forward(self, x):\n  return " + result + "\n");
  Model model{.module = module};
  if (recorded > 0) {
    model.recorded_inputs = {{.sizes = {recorded, kFeatures}, .storage = "FloatStorage"}};
  }
  return model;
}

TensorDataset examples(std::int64_t count) {
  return {{torch::randn({count, kFeatures})}, {}};
}

TEST(FixedBatch, IsNoneWhereAModelTakesWhatItIsGiven) {
  EXPECT_EQ(find_fixed_batch(model_of("torch.relu(x)", 1), examples(16)), 0);
  EXPECT_EQ(find_fixed_batch(model_of("x.mean()", 1), examples(16)), 0) << "it has no rows";
  EXPECT_EQ(find_fixed_batch(model_of("x.t()", 4), examples(16)), 0) << "examples in another place";
  EXPECT_EQ(find_fixed_batch(model_of("x.view(2, -1, 6)", 2), examples(16)), 0) << "pairs";
}

TEST(FixedBatch, IsThatOfTheTraceWhereShapesAreConstants) {
  for (const std::int64_t count : {1, 2, 3, 4, 8}) {
    const auto view = "torch.relu(x.view(" + std::to_string(count) + ", 6))";
    EXPECT_EQ(find_fixed_batch(model_of(view, count), examples(16)), count);
  }
}

TEST(FixedBatch, IsOneWhereTheFileDoesNotSay) {
  EXPECT_EQ(find_fixed_batch(model_of("x.view(1, 6)", 0), examples(16)), 1);
}

TEST(FixedBatch, IsThatOfTheTraceWhereViewsRunExamplesIntoOneAnother) {
  EXPECT_EQ(find_fixed_batch(model_of("x.view(1, 6, -1).transpose(1, 2)", 1), examples(16)), 1);
}

TEST(FixedBatch, IsNotKnownWhereTheModelTakesNoneOfTheExamples) {
  EXPECT_EQ(find_fixed_batch(model_of("x.view(4, 6)", 4), examples(3)), 0) << "too few";
  EXPECT_EQ(find_fixed_batch(model_of("x @ torch.ones([7, 7])", 1), examples(16)), 0);
}

TEST(FixedBatch, DataComesInSuchBatches) {
  const auto data = std::make_shared<TensorDataset>(examples(10));
  EXPECT_EQ(in_batches_of(model_of("x.view(4, 6)", 4), data)->fixed_batch(), 4);
  EXPECT_EQ(in_batches_of(model_of("x + 1", 4), data), data);
  EXPECT_EQ(in_batches_of(model_of("x + 1", 4), nullptr), nullptr);
}

}  // namespace
}  // namespace actswap
