#include <actswap/pipeline/training_defaults.h>

#include <gtest/gtest.h>

namespace actswap {
namespace {

TEST(DefaultLoss, CountsLabelsByTheStepsThatThereAre) {
  EXPECT_EQ(to_string(default_loss(Signal::distil, false, false, 1000)), "distil");
  EXPECT_EQ(to_string(default_loss(Signal::distil, true, false, 1)), "distil+0.01*cross-entropy");
  EXPECT_EQ(to_string(default_loss(Signal::distil, true, false, 50)), "distil+0.13*cross-entropy");
  EXPECT_EQ(to_string(default_loss(Signal::distil, true, false, 200)), "distil+0.5*cross-entropy");
  EXPECT_EQ(to_string(default_loss(Signal::distil, true, false, 400)), "distil+cross-entropy");
  EXPECT_EQ(to_string(default_loss(Signal::distil, true, false, 100000)), "distil+cross-entropy");
}

TEST(DefaultLoss, ComparesLayersAfterACalibration) {
  EXPECT_EQ(to_string(default_loss(Signal::distil, false, true, 1000)), "distil+3*layers");
  EXPECT_EQ(to_string(default_loss(Signal::distil, true, true, 200)),
            "distil+3*layers+0.5*cross-entropy");
}

TEST(StaysByCalibration, UnlessManyStepsOnLabelsFollow) {
  EXPECT_TRUE(stays_by_calibration(true, 399));
  EXPECT_FALSE(stays_by_calibration(true, 400));
  EXPECT_TRUE(stays_by_calibration(false, 100000));
}

TEST(DefaultComparison, IsDistilForNothingButLogits) {
  const OutputForm logits{.kind = OutputKind::logits, .dim = 1};
  const OutputForm values{.kind = OutputKind::values};
  const OutputForm mask{.kind = OutputKind::ignored};
  EXPECT_EQ(default_comparison({logits}), Signal::distil);
  EXPECT_EQ(default_comparison({logits, mask}), Signal::distil);
  EXPECT_EQ(default_comparison({mask, logits}), Signal::outputs) << "labels are of the first";
  EXPECT_EQ(default_comparison({logits, values}), Signal::outputs);
  EXPECT_EQ(default_comparison({values}), Signal::outputs);
  EXPECT_EQ(default_comparison({{.kind = OutputKind::probabilities, .dim = 1}}), Signal::outputs);
}

TEST(DefaultHeldOut, IsAShareOfWhatTheTrainingSees) {
  EXPECT_EQ(default_held_out(31, 1.0), 0);
  EXPECT_EQ(default_held_out(32, 1.0), 8);
  EXPECT_EQ(default_held_out(1024, 1.0), 32);
  EXPECT_EQ(default_held_out(1024, 4.0), 128);
  EXPECT_EQ(default_held_out(100, 1e6), 25) << "a quarter at most";
  EXPECT_EQ(default_held_out(1000000, 1.0), 256);
}

TEST(DefaultBatchSize, MakesEnoughStepsOfFewInputs) {
  EXPECT_EQ(default_batch_size(true, 100, 1.0), 64);
  EXPECT_EQ(default_batch_size(false, 100, 1.0), 8);
  EXPECT_EQ(default_batch_size(false, 4096, 1.0), 32);
  EXPECT_EQ(default_batch_size(false, 1024, 4.0), 32);
  EXPECT_EQ(default_batch_size(false, 60000, 1.0), 64);
}

TEST(DefaultLearningRate, FollowsWhatTheCalibrationLeftAndTheSteps) {
  EXPECT_DOUBLE_EQ(default_learning_rate(0.0, 400), 3e-4);
  EXPECT_DOUBLE_EQ(default_learning_rate(1e-4, 100000), 3e-4);
  EXPECT_DOUBLE_EQ(default_learning_rate(1e-3, 400), 1e-3);
  EXPECT_DOUBLE_EQ(default_learning_rate(1e-3, 100), 5e-4);
}

}  // namespace
}  // namespace actswap
