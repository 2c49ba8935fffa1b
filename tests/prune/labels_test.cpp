// Labels of entries: what ties them, and what operators make of them.
#include <actswap/prune/labels.h>

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace actswap {
namespace {

class LabelTest : public ::testing::Test {
 protected:
  // Along one dimension of a tensor of these sizes.
  LabelledShape along(const std::vector<std::int64_t>& sizes, std::size_t dim) {
    std::vector<std::int64_t> array(sizes.size(), 1);
    array[dim] = sizes[dim];
    const auto first = labels.fresh(sizes[dim], 0);
    return {.sizes = sizes, .arrays = {(at::arange(sizes[dim], at::kLong) + first).view(array)}};
  }
  Label label(const LabelledShape& shape, std::int64_t i) {
    return labels.root(shape.arrays.at(0).flatten()[i].item<Label>());
  }
  bool is_frozen(const LabelledShape& shape, std::int64_t i) {
    return labels.is_frozen(shape.arrays.at(0).flatten()[i].item<Label>());
  }

  Labels labels;
  LabelAlgebra algebra{labels};
};

TEST_F(LabelTest, TiesAreTransitiveAndFreezeTogether) {
  const auto first = labels.fresh(3, 7);
  labels.tie(first, first + 2, "");
  labels.freeze(first + 2, "because");
  EXPECT_TRUE(labels.is_frozen(first));
  EXPECT_FALSE(labels.is_frozen(first + 1));
  labels.tie(first + 1, first, "");
  EXPECT_EQ(labels.reason(first + 1), "because");
  EXPECT_EQ(labels.owner(first + 1), 7);
  const auto other = labels.fresh(1, 0);
  labels.tie(other, kFixed, "fixed");
  EXPECT_EQ(labels.reason(other), "fixed");
}

TEST_F(LabelTest, ElementwiseOperatorsTieEntryByEntry) {
  const auto a = along({2, 4, 5}, 1);
  const auto b = along({4, 1}, 0);
  const auto result = algebra.combined(a, b, "");
  EXPECT_EQ(result.sizes, (std::vector<std::int64_t>{2, 4, 5}));
  ASSERT_EQ(result.arrays.size(), 1U);
  for (std::int64_t i = 0; i < 4; ++i) {
    EXPECT_EQ(label(a, i), label(b, i));
    EXPECT_FALSE(is_frozen(a, i));
  }
}

TEST_F(LabelTest, WhatIsBroadcastTiesNothingAndWhatStaysFreezes) {
  const auto a = along({2, 4, 5}, 1);
  algebra.combined(a, {.sizes = {2, 1, 5}}, "");
  EXPECT_FALSE(is_frozen(a, 0));
  algebra.combined(a, {.sizes = {4, 1}}, "stays");
  EXPECT_TRUE(is_frozen(a, 0));
  EXPECT_EQ(labels.reason(label(a, 0)), "stays");
}

TEST_F(LabelTest, KindsOfUnitsInDifferentDimensionsLiveTogether) {
  const auto result = algebra.combined(along({3, 1}, 0), along({1, 4}, 1), "");
  ASSERT_EQ(result.arrays.size(), 2U);
  EXPECT_FALSE(labels.is_frozen(result.arrays[0].flatten()[0].item<Label>()));
  const auto flat =
      algebra.moved(result, [](const at::Tensor& array) { return array.reshape({12}); });
  EXPECT_TRUE(labels.is_frozen(flat.arrays.at(0).flatten()[0].item<Label>()));
}

TEST_F(LabelTest, MovedLabelsAreThoseOfTheEntries) {
  const auto shape = along({2, 6, 3}, 1);
  const auto flat =
      algebra.moved(shape, [](const at::Tensor& array) { return array.reshape({2, 18}); });
  EXPECT_EQ(flat.arrays.at(0).sizes(), (std::vector<std::int64_t>{1, 18}));
  EXPECT_EQ(label(flat, 5), label(shape, 1));
  const auto heads =
      algebra.moved(shape, [](const at::Tensor& array) { return array.reshape({2, 2, 3, 3}); });
  EXPECT_EQ(only_dim(heads.arrays.at(0)), -1);
  const auto tied = algebra.tie_to(heads.arrays[0], 1, "");
  EXPECT_EQ(only_dim(tied), 1);
  EXPECT_EQ(label(shape, 0), label(shape, 2));
  EXPECT_NE(label(shape, 0), label(shape, 3));
}

TEST_F(LabelTest, ATensorThatIsOneUnitStays) {
  const auto shape = along({2, 4}, 1);
  const auto one =
      algebra.moved(shape, [](const at::Tensor& array) { return array.narrow(1, 2, 1); });
  EXPECT_TRUE(one.arrays.empty());
  EXPECT_TRUE(is_frozen(shape, 2));
  EXPECT_FALSE(is_frozen(shape, 1));
}

}  // namespace
}  // namespace actswap
