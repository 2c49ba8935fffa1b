#include <actswap/base/error.h>
#include <actswap/train/learning_rate.h>

#include <gtest/gtest.h>

namespace actswap {
namespace {

TEST(LearningRate, IsReadAsItIsPrinted) {
  EXPECT_EQ(LearningRate::parse("calibrated").kind, LearningRate::Kind::calibrated);
  EXPECT_EQ(LearningRate::parse("auto").kind, LearningRate::Kind::swept);
  EXPECT_EQ(LearningRate::parse("search").kind, LearningRate::Kind::searched);
  const auto share = LearningRate::parse("1e-3rms");
  EXPECT_TRUE(share.is_relative);
  EXPECT_EQ(share.value, 1e-3);
  EXPECT_EQ(to_string(share), "0.001rms");
  EXPECT_FALSE(LearningRate::parse("1e-3").is_relative);
  EXPECT_EQ(LearningRate::parse("1e-3").kind, LearningRate::Kind::fixed);
  EXPECT_EQ(LearningRate::parse("1e-3").value, 1e-3);
  for (const char* text : {"calibrated", "auto", "0.001", "3e-05"}) {
    EXPECT_EQ(to_string(LearningRate::parse(text)), text);
  }
}

TEST(LearningRate, IsAFiniteNumberAboveZero) {
  for (const char* text : {"", "fast", "0", "-1", "nan", "inf", "1e999", "0.1x", " 0.1", "0x1"}) {
    EXPECT_THROW(LearningRate::parse(text), UsageError) << text;
  }
}

}  // namespace
}  // namespace actswap
