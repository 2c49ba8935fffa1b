#include <actswap/pipeline/training_defaults.h>

#include <gtest/gtest.h>

namespace actswap {
namespace {

TEST(DefaultLoss, CountsLabelsByTheStepsThatThereAre) {
  EXPECT_EQ(to_string(default_loss(false, false, 1000)), "distil");
  EXPECT_EQ(to_string(default_loss(true, false, 1)), "distil+0.01*cross-entropy");
  EXPECT_EQ(to_string(default_loss(true, false, 50)), "distil+0.13*cross-entropy");
  EXPECT_EQ(to_string(default_loss(true, false, 200)), "distil+0.5*cross-entropy");
  EXPECT_EQ(to_string(default_loss(true, false, 400)), "distil+cross-entropy");
  EXPECT_EQ(to_string(default_loss(true, false, 100000)), "distil+cross-entropy");
}

TEST(DefaultLoss, ComparesLayersAfterACalibration) {
  EXPECT_EQ(to_string(default_loss(false, true, 1000)), "distil+3*layers");
  EXPECT_EQ(to_string(default_loss(true, true, 200)), "distil+3*layers+0.5*cross-entropy");
}

TEST(StaysByCalibration, UnlessManyStepsOnLabelsFollow) {
  EXPECT_TRUE(stays_by_calibration(true, 399));
  EXPECT_FALSE(stays_by_calibration(true, 400));
  EXPECT_TRUE(stays_by_calibration(false, 100000));
}

TEST(DefaultLearningRate, FollowsWhatTheCalibrationLeftAndTheSteps) {
  EXPECT_DOUBLE_EQ(default_learning_rate(0.0, 400), 3e-4);
  EXPECT_DOUBLE_EQ(default_learning_rate(1e-4, 100000), 3e-4);
  EXPECT_DOUBLE_EQ(default_learning_rate(1e-3, 400), 1e-3);
  EXPECT_DOUBLE_EQ(default_learning_rate(1e-3, 100), 5e-4);
}

}  // namespace
}  // namespace actswap
