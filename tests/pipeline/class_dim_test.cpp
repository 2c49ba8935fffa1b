#include <actswap/base/error.h>
#include <actswap/pipeline/class_dim.h>

#include <torch/torch.h>

#include <gtest/gtest.h>

#include "models.h"

namespace actswap {
namespace {

using Found = std::optional<std::int64_t>;

// Of images and this target; the model's outputs are N x 4.
Found found(const torch::Tensor& target) {
  static const auto model = load(test_model("scripted_module.pt"));
  torch::manual_seed(1);
  return find_class_dim(model, TensorDataset({torch::randn({20, 3, 8, 8})}, target));
}

TEST(ClassDim, IsFoundByTheTarget) {
  EXPECT_EQ(found(torch::arange(20).remainder(4)), Found(1));
  EXPECT_EQ(found(torch::arange(20).remainder(4).to(torch::kByte)), Found(1));
}

TEST(ClassDim, OfASequenceIsTheLast) {
  const auto unit = std::make_shared<torch::jit::CompilationUnit>();
  const auto model = adopt(make_module(
      unit, "Tokens", "def forward(self, x):\n    return torch.stack([x, -x, x + 1.0], 2)\n"));
  const auto x = torch::randn({20, 7});
  const auto classes = torch::arange(140).remainder(3).reshape({20, 7});
  EXPECT_EQ(find_class_dim(model, TensorDataset({x}, classes)), Found(-1));
  EXPECT_EQ(find_class_dim(model, TensorDataset({x}, classes), 1), Found());
  EXPECT_EQ(find_class_dim(model, TensorDataset({x}, classes + 1)), Found());
}

TEST(ClassDim, WithoutClassesThereIsNone) {
  EXPECT_EQ(found({}), Found());
  EXPECT_EQ(found(torch::randn({20, 4})), Found()) << "a regression";
  EXPECT_EQ(found(torch::zeros({20, 4}, torch::kLong)), Found()) << "of another shape";
  EXPECT_EQ(found(torch::arange(20)), Found()) << "more classes than outputs";
  EXPECT_EQ(found(torch::arange(20).remainder(4) - 1), Found()) << "a class of -1";
  EXPECT_EQ(found(torch::ones({20}, torch::kBool)), Found());
}

// The first that the model is run on are classes, one further on is none.
TEST(ClassDim, AllTargetsAreLookedAt) {
  auto target = torch::arange(20).remainder(4);
  target[19] = 4;
  EXPECT_EQ(found(target), Found());
}

TEST(ClassDim, SaysWhereTheModelRejectsTheData) {
  const auto model = load(test_model("scripted_module.pt"));
  const TensorDataset data({torch::randn({20, 5})}, torch::arange(20).remainder(4));
  EXPECT_THROW(find_class_dim(model, data), UsageError);
}

}  // namespace
}  // namespace actswap
