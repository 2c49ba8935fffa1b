#include <actswap/base/error.h>
#include <actswap/pipeline/default_loss.h>

#include <torch/torch.h>

#include <gtest/gtest.h>

#include "models.h"

namespace actswap {
namespace {

// Of images and this target; the model's outputs are N x 4.
std::string loss_for(const torch::Tensor& target, std::int64_t class_dim = 1) {
  static const auto model = load(test_model("scripted_module.pt"));
  torch::manual_seed(1);
  const TensorDataset data({torch::randn({20, 3, 8, 8})}, target);
  return to_string(default_loss(model, data, class_dim));
}

TEST(DefaultLoss, TakesTheClassesWhereThereAreSome) {
  EXPECT_EQ(loss_for(torch::arange(20).remainder(4)), "distil+cross-entropy");
  EXPECT_EQ(loss_for(torch::arange(20).remainder(4).to(torch::kByte)), "distil+cross-entropy");
  EXPECT_EQ(loss_for(torch::arange(20).remainder(4), -1), "distil+cross-entropy");
}

TEST(DefaultLoss, NeedsNone) {
  EXPECT_EQ(loss_for({}), "distil");
  EXPECT_EQ(loss_for(torch::randn({20, 4})), "distil") << "a regression";
  EXPECT_EQ(loss_for(torch::zeros({20, 4}, torch::kLong)), "distil") << "of another shape";
  EXPECT_EQ(loss_for(torch::arange(20)), "distil") << "more classes than outputs";
  EXPECT_EQ(loss_for(torch::arange(20).remainder(4) - 1), "distil") << "a class of -1";
  EXPECT_EQ(loss_for(torch::ones({20}, torch::kBool)), "distil");
}

// The first that the model is run on are classes, one further on is none.
TEST(DefaultLoss, LooksAtAllTargets) {
  auto target = torch::arange(20).remainder(4);
  target[19] = 4;
  EXPECT_EQ(loss_for(target), "distil");
}

TEST(DefaultLoss, SaysWhereTheModelRejectsTheData) {
  const auto model = load(test_model("scripted_module.pt"));
  const TensorDataset data({torch::randn({20, 5})}, torch::arange(20).remainder(4));
  EXPECT_THROW(default_loss(model, data, 1), UsageError);
}

}  // namespace
}  // namespace actswap
