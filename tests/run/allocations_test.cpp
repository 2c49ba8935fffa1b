#include <actswap/run/allocations.h>

#include <torch/script.h>

#include <gtest/gtest.h>

namespace actswap {
namespace {

TEST(Allocations, TheMostIsWhatIsHeldAtATime) {
  const auto before = torch::zeros({1000});
  const auto bytes = allocated([] {
                       torch::zeros({1000});
                       const auto one = torch::zeros({500});
                       const auto other = torch::zeros({700});
                     }).most;
  EXPECT_GE(bytes, 4 * 1200);
  EXPECT_LT(bytes, 4 * 1300);
  EXPECT_EQ(allocated([] {}).most, 0);
}

TEST(Allocations, WhatIsFreedIsNotLeft) {
  torch::Tensor stays;
  EXPECT_EQ(allocated([&] {
              torch::zeros({1000});
              stays = torch::zeros({500});
            }).left,
            4 * 500);
  EXPECT_EQ(allocated([&] { stays.reset(); }).left, -4 * 500) << "it was measured when it was made";
}

}  // namespace
}  // namespace actswap
