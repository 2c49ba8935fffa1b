#include <gtest/gtest.h>

#include "train/modules.h"

#include <cmath>
#include <functional>
#include <limits>
#include <numbers>

namespace actswap {
namespace {

std::string message_for(const std::function<void(TrainOptions&)>& spoil) {
  TrainOptions options;
  spoil(options);
  return usage_error([&] { options.validate(); });
}

TEST(TrainOptions, DefaultsAreValid) {
  EXPECT_NO_THROW(TrainOptions().validate());
}

TEST(TrainOptions, MessagesNameOptionRangeAndValue) {
  EXPECT_EQ(message_for([](auto& o) { o.epochs = 0.0; }),
            "Expected epochs > 0 and <= 1e9, but got 0");
  EXPECT_EQ(message_for([](auto& o) { o.batch_size = 0; }), "Expected batch_size > 0, but got 0");
  EXPECT_EQ(message_for([](auto& o) { o.temperature = -2.0; }),
            "Expected temperature > 0, but got -2");
  EXPECT_EQ(message_for([](auto& o) { o.learning_rate = 0.0; }),
            "Expected learning_rate > 0, but got 0");
  EXPECT_EQ(message_for([](auto& o) { o.momentum = 1.0; }),
            "Expected momentum in [0, 1), but got 1");
  EXPECT_EQ(message_for([](auto& o) { o.weight_decay = -0.5; }),
            "Expected weight_decay >= 0, but got -0.5");
  EXPECT_EQ(message_for([](auto& o) { o.clip_norm = -1.0; }),
            "Expected clip_norm >= 0, but got -1");
  EXPECT_EQ(message_for([](auto& o) { o.warmup = 1.5; }), "Expected warmup in [0, 1), but got 1.5");
  EXPECT_EQ(message_for([](auto& o) { o.average = 1.0; }), "Expected average in [0, 1), but got 1");
  EXPECT_EQ(message_for([](auto& o) { o.check_every = 1e300; }),
            "Expected check_every >= 0 and <= 1e9, but got 1e+300");
  EXPECT_EQ(message_for([](auto& o) { o.class_dim = 0; }),
            "Expected class_dim other than 0, the examples, but got 0");
}

TEST(TrainOptions, NotANumberIsRefusedEverywhere) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  for (auto member :
       {&TrainOptions::epochs, &TrainOptions::temperature, &TrainOptions::learning_rate,
        &TrainOptions::momentum, &TrainOptions::weight_decay, &TrainOptions::clip_norm,
        &TrainOptions::warmup, &TrainOptions::average, &TrainOptions::check_every}) {
    EXPECT_NE(message_for([&](auto& o) { o.*member = nan; }), "");
  }
}

TEST(TrainOptions, NamesGoThereAndBack) {
  for (const auto kind : {OptimizerKind::sgd, OptimizerKind::adamw}) {
    EXPECT_EQ(parse_optimizer(to_string(kind)), kind);
  }
  EXPECT_EQ(usage_error([] { parse_optimizer("lion"); }),
            "Unknown optimizer 'lion'; expected sgd or adamw");
}

TEST(LearningRate, RisesLinearlyThenFallsAsHalfACosine) {
  TrainOptions options;
  options.learning_rate = 2.0;
  options.warmup = 0.2;
  EXPECT_DOUBLE_EQ(learning_rate_at(0, 20, options), 0.5);
  EXPECT_DOUBLE_EQ(learning_rate_at(3, 20, options), 2.0);
  EXPECT_DOUBLE_EQ(learning_rate_at(4, 20, options), 2.0);
  EXPECT_DOUBLE_EQ(learning_rate_at(12, 20, options), 1.0);
  EXPECT_DOUBLE_EQ(learning_rate_at(19, 20, options),
                   1.0 + std::cos(std::numbers::pi * 15.0 / 16.0));
  EXPECT_EQ(learning_rate_at(20, 20, options), 0.0);
}

TEST(LearningRate, WorksForOneStepAndWithoutWarmUp) {
  TrainOptions options;
  options.learning_rate = 2.0;
  options.warmup = 0.9;
  EXPECT_DOUBLE_EQ(learning_rate_at(0, 1, options), 2.0);
  options.warmup = 0.0;
  EXPECT_DOUBLE_EQ(learning_rate_at(0, 10, options), 2.0);
}

}  // namespace
}  // namespace actswap
