#include <actswap/train/training_safeguard.h>

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "train/modules.h"

namespace actswap {
namespace {

/// What remains of x w, w being 1, after a training that set w. The loss is mean (x w)^2, whether
/// its zeros are labels or what an original gives.
double weight_after(double trained, double kept_share, const Loss& loss = Signal::mse) {
  auto module = make_identity();
  std::optional<torch::jit::Module> teacher;
  if (loss.needs_original()) {
    teacher = make_identity();
    const torch::NoGradGuard no_grad;
    teacher->attr("w").toTensor().zero_();
  }
  torch::manual_seed(1);
  const TensorDataset data({torch::randn({40, 3})}, torch::zeros({40, 3}));
  TrainingSafeguard safeguard(module, teacher, data, plain_options(loss));
  auto weight = module.attr("w").toTensor();
  {
    const torch::NoGradGuard no_grad;
    weight.fill_(trained);
  }
  const auto effect = safeguard.undo_harm();
  EXPECT_EQ(effect.examples, 40);
  EXPECT_GT(effect.before, 0.0);
  if (std::isfinite(trained)) {
    EXPECT_NEAR(effect.after / effect.before, trained * trained, 1e-5);
  }
  EXPECT_EQ(effect.kept_share, kept_share) << trained;
  EXPECT_EQ(effect.is_taken_back(), kept_share == 0.0);
  const double kept = weight.item<double>();
  EXPECT_NEAR(effect.kept_loss / effect.before, kept * kept, 1e-5);
  return kept;
}

TEST(TrainingSafeguard, KeepsWhatLowersTheLossOrRaisesItALittle) {
  EXPECT_NEAR(weight_after(0.5, 1.0), 0.5, 1e-6);
  EXPECT_NEAR(weight_after(std::sqrt(1.15), 1.0), std::sqrt(1.15), 1e-6);
}

TEST(TrainingSafeguard, GoesByWhatTheLabelsGive) {
  const auto half = parse_loss("distil-mse+mse");
  EXPECT_NEAR(weight_after(std::sqrt(1.09), 1.0, half), std::sqrt(1.09), 1e-6);
  EXPECT_EQ(weight_after(std::sqrt(1.11), 0.0, half), 1.0);
}

// An original that computes half: the signal of it is a quarter of that of the labels at first, and
// so it is not their weights that count.
TEST(TrainingSafeguard, GoesByValuesNotByWeights) {
  const auto is_taken_back = [](double trained) {
    const torch::NoGradGuard no_grad;
    auto module = make_identity();
    const auto original = make_identity();
    original.attr("w").toTensor().fill_(0.5);
    const TensorDataset data({torch::ones({40, 3})}, torch::zeros({40, 3}));
    TrainingSafeguard safeguard(module, original, data,
                                plain_options(parse_loss("distil-mse+mse")));
    module.attr("w").toTensor().fill_(trained);
    return safeguard.undo_harm().is_taken_back();
  };
  // (w - 0.5)^2 + w^2, from 1.25, may become 1.45.
  EXPECT_FALSE(is_taken_back(1.06));
  EXPECT_TRUE(is_taken_back(1.07));
}

TEST(TrainingSafeguard, TakesBackAnyRiseWithoutLabels) {
  EXPECT_NEAR(weight_after(0.99, 1.0, Signal::distil_mse), 0.99, 1e-6);
  EXPECT_EQ(weight_after(1.01, 0.0, Signal::distil_mse), 1.0);
}

TEST(TrainingSafeguard, TakesBackWhatRaisesTheLossByMoreThanAFifth) {
  EXPECT_EQ(weight_after(std::sqrt(1.25), 0.0), 1.0);
  EXPECT_EQ(weight_after(std::numeric_limits<double>::quiet_NaN(), 0.0), 1.0);
}

// From 1 over the least, which is at 0.
TEST(TrainingSafeguard, KeepsThePartOfTheWayThatLowersTheLossMost) {
  EXPECT_NEAR(weight_after(-1.2, 0.5, Signal::distil_mse), -0.1, 1e-6);
  EXPECT_NEAR(weight_after(-2.6, 0.25, Signal::distil_mse), 0.1, 1e-6);
  EXPECT_NEAR(weight_after(-7.8, 0.125), -0.1, 1e-6);
  EXPECT_EQ(weight_after(-16.0, 0.0), 1.0);
}

// On examples that the training did not see, whether it did harm or not.
TEST(TrainingSafeguard, KeepsTheBestPart) {
  const torch::NoGradGuard no_grad;
  const auto kept_after = [](double trained) {
    auto module = make_identity();
    const TensorDataset data({torch::ones({40, 3})}, torch::zeros({40, 3}));
    TrainingSafeguard safeguard(module, std::nullopt, data, plain_options(Signal::mse));
    module.attr("w").toTensor().fill_(trained);
    const auto effect = safeguard.keep_best_part();
    const auto kept = module.attr("w").toTensor().item<double>();
    const auto way = effect.is_taken_back() ? 0.0 : trained - 1.0;
    EXPECT_NEAR(kept, 1.0 + effect.kept_share * way, 1e-6);
    EXPECT_NEAR(effect.kept_loss / effect.before, kept * kept, 1e-5);
    return effect.kept_share;
  };
  EXPECT_EQ(kept_after(0.5), 1.0);
  EXPECT_EQ(kept_after(-0.3), 0.75) << "the loss fell, but there is a better part";
  EXPECT_EQ(kept_after(-1.0), 0.5);
  EXPECT_EQ(kept_after(-7.8), 0.125);
  EXPECT_EQ(kept_after(1.01), 0.0);
  EXPECT_EQ(kept_after(std::numeric_limits<double>::quiet_NaN()), 0.0);
}

TEST(TrainingSafeguard, MovesNoCounters) {
  const torch::NoGradGuard no_grad;
  auto module = make_identity();
  module.register_buffer("steps", torch::zeros({}, torch::kLong));
  module.register_buffer("mean", torch::zeros({2}));
  const TensorDataset data({torch::ones({40, 3})}, torch::zeros({40, 3}));
  TrainingSafeguard safeguard(module, std::nullopt, data, plain_options(Signal::mse));
  module.attr("w").toTensor().fill_(-1.2);
  module.attr("steps").toTensor().fill_(7);
  module.attr("mean").toTensor().fill_(3.0);
  EXPECT_EQ(safeguard.undo_harm().kept_share, 0.5);
  EXPECT_EQ(module.attr("steps").toTensor().item<int64_t>(), 7);
  EXPECT_EQ(module.attr("mean").toTensor()[1].item<float>(), 1.5F);
}

}  // namespace
}  // namespace actswap
