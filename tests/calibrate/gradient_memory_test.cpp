#include <actswap/base/error.h>
#include <actswap/calibrate/gradient_memory.h>

#include <torch/script.h>

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>

namespace actswap {
namespace {

// With few examples the gradients of weights outweigh all else: the peak hardly grows from two to
// four examples, and with more of them grows as fast as the forward pass.
TEST(GradientMemory, WeightsDoNotHideHowItGrows) {
  const auto taken_by = [](std::int64_t examples) -> GradientMemory {
    return {.forward = 35 * examples, .all = std::max(35 * examples, 105 + 8 * examples)};
  };
  const auto found = fitting_into(/*memory=*/400, taken_by, /*few=*/2, /*least=*/1, 0);
  EXPECT_EQ(found.count, 11);
  EXPECT_LE(taken_by(found.count).all, found.bytes);
  EXPECT_LE(found.bytes, 400);
}

TEST(GradientMemory, TheFewestMayTakeMore) {
  const auto taken_by = [](std::int64_t examples) -> GradientMemory {
    return {.forward = 50 * examples, .all = 60 * examples};
  };
  const auto found = fitting_into(/*memory=*/100, taken_by, /*few=*/2, /*least=*/8, 0);
  EXPECT_EQ(found.count, 8);
  EXPECT_EQ(found.bytes, 8 * 60);
}

TEST(GradientMemory, IsUnknownWhereFewAreRejected) {
  const auto rejects = [](std::int64_t) -> GradientMemory { throw UsageError("three at least"); };
  const auto found = fitting_into(/*memory=*/100, rejects, /*few=*/2, /*least=*/8, 5);
  EXPECT_EQ(found.count, 5);
  EXPECT_EQ(found.bytes, 0);
}

// The weight's gradient of 4 MB comes when the activations of 1000 numbers are still there.
TEST(GradientMemory, CountsForwardAndBackward) {
  const auto weight = torch::randn({1000, 1000}).set_requires_grad(true);
  const auto taken = memory_of_gradient(
      [&] { return torch::linear(torch::ones({2, 1000}), weight).relu().sum(); }, {weight});
  EXPECT_GE(taken.forward, 4 * 2 * 2000);
  EXPECT_LT(taken.forward, 1'000'000);
  EXPECT_GE(taken.all, 4'000'000);
  EXPECT_LT(taken.all, 9'000'000);
}

}  // namespace
}  // namespace actswap
