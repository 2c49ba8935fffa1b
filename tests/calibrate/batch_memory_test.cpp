#include <actswap/calibrate/batch_memory.h>

#include <torch/script.h>

#include <gtest/gtest.h>

#include "calibrate/written.h"
#include "models.h"

namespace actswap {
namespace {

constexpr std::int64_t kBytes = 3 * 4 * 1000;  // of an example: two copies, and what it becomes

torch::jit::Module doubling() {
  return written("Doubling", {{"a", {1}}}, "    return (x * self.a).sum(1)\n");
}

std::vector<std::int64_t> sizes(const Batches& batches) {
  std::vector<std::int64_t> found;
  for (const auto& batch : batches) {
    found.push_back(batch.front().size(0));
  }
  return found;
}

TEST(BatchMemory, BatchesAreCutUntilTheyFit) {
  const Batches batches = {{torch::randn({20, 1000})}, {torch::randn({20, 1000})}};
  EXPECT_EQ(bytes_of(batches), 2 * 20 * 1000 * 4);
  EXPECT_EQ(sizes(cut_to_fit(doubling(), batches, 100 * kBytes)),
            (std::vector<std::int64_t>{20, 20}));
  const auto cut = cut_to_fit(doubling(), batches, 11 * kBytes);
  EXPECT_EQ(sizes(cut), (std::vector<std::int64_t>{10, 10, 10, 10}));
  EXPECT_TRUE(torch::equal(torch::cat({cut[2][0], cut[3][0]}), batches[1][0]));
  // Two are run at least, for models that squeeze their values.
  EXPECT_EQ(sizes(cut_to_fit(doubling(), batches, 0)).front(), 2);
}

TEST(BatchMemory, AModelOfOneBatchSizeIsGivenIt) {
  const auto fixed = written("Fixed", {{"a", {1000, 4}}},
                             "    return torch.linear(x, self.a).reshape([20, 1000])\n");
  const Batches batches = {{torch::randn({20, 4})}};
  EXPECT_EQ(sizes(cut_to_fit(fixed, batches, 0)), (std::vector<std::int64_t>{20}));
}

TEST(BatchMemory, WhatHasNoExamplesStays) {
  EXPECT_TRUE(cut_to_fit(doubling(), {}, 0).empty());
  EXPECT_EQ(cut_to_fit(doubling(), {{}}, 0).size(), 1U);
  EXPECT_EQ(cut_to_fit(doubling(), {{torch::tensor(1.0)}}, 0).size(), 1U);
}

}  // namespace
}  // namespace actswap
