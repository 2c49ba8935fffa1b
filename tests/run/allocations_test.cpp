#include <actswap/run/allocations.h>

#include <torch/script.h>

#include <gtest/gtest.h>

namespace actswap {
namespace {

TEST(Allocations, TheMostIsWhatIsHeldAtATime) {
  const auto before = torch::zeros({1000});
  const auto bytes = most_allocated([] {
    torch::zeros({1000});
    const auto one = torch::zeros({500});
    const auto other = torch::zeros({700});
  });
  EXPECT_GE(bytes, 4 * 1200);
  EXPECT_LT(bytes, 4 * 1300);
  EXPECT_EQ(most_allocated([] {}), 0);
}

}  // namespace
}  // namespace actswap
