#include <actswap/pipeline/default_loss.h>

#include <gtest/gtest.h>

namespace actswap {
namespace {

TEST(DefaultLoss, CountsLabelsByTheStepsThatThereAre) {
  EXPECT_EQ(to_string(default_loss(false, 1000)), "distil");
  EXPECT_EQ(to_string(default_loss(true, 1)), "distil+0.01*cross-entropy");
  EXPECT_EQ(to_string(default_loss(true, 50)), "distil+0.13*cross-entropy");
  EXPECT_EQ(to_string(default_loss(true, 200)), "distil+0.5*cross-entropy");
  EXPECT_EQ(to_string(default_loss(true, 400)), "distil+cross-entropy");
  EXPECT_EQ(to_string(default_loss(true, 100000)), "distil+cross-entropy");
}

}  // namespace
}  // namespace actswap
