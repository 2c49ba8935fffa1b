// How long a model spends on each of its tensors.
#include <actswap/graph/model.h>
#include <actswap/measure/tensor_times.h>

#include <torch/script.h>

#include <gtest/gtest.h>

#include "calibrate/written.h"

namespace actswap {
namespace {

const void* memory_of(const torch::jit::Module& module, const std::string& name) {
  return module.attr(name).toTensor().storage().data();
}

TEST(TensorMilliseconds, AreThoseOfTheOperatorsThatReadATensor) {
  const auto module = written("Two",
                              {{"w1", {1024, 512}},
                               {"b1", {1024}},
                               {"w2", {4, 1024}},
                               {"mean", {1024}},
                               {"unused", {3, 3}}},
                              "    y = torch.relu(torch.linear(x, self.w1, self.b1))\n"
                              "    return torch.linear(y - self.mean, self.w2)\n");
  const auto times = tensor_milliseconds(module, {torch::randn({256, 512})}, 9);
  const auto wide = times.at(memory_of(module, "w1"));
  EXPECT_GT(wide, 3.0 * times.at(memory_of(module, "w2")));  // 256 times as many multiplications
  EXPECT_GT(times.at(memory_of(module, "mean")), 0.0);
  EXPECT_EQ(times.count(memory_of(module, "b1")), 0U);  // its time is its weight's
  EXPECT_EQ(times.count(memory_of(module, "unused")), 0U);
  EXPECT_EQ(times.size(), 3U);
}

// A view of a weight is that weight; a layer that runs twice takes twice as long.
TEST(TensorMilliseconds, FollowViewsAndAddUpCalls) {
  const auto module = written("Views", {{"w1", {256, 256}}, {"w2", {256, 256}}},
                              "    y = torch.matmul(x, self.w1.t())\n"
                              "    for i in range(6):\n"
                              "        y = torch.matmul(y, self.w2.t())\n"
                              "    return y\n");
  const auto times = tensor_milliseconds(module, {torch::randn({256, 256})}, 9);
  EXPECT_GT(times.at(memory_of(module, "w2")), 2.0 * times.at(memory_of(module, "w1")));
}

}  // namespace
}  // namespace actswap
