#include <actswap/ranks/exchange.h>
#include <actswap/ranks/together.h>

#include <torch/script.h>

#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace actswap {
namespace {

// The second of two ranks; whatever this one sends, the first sends `other` of it.
class SecondOfTwo : public Ranks {
 public:
  explicit SecondOfTwo(std::int64_t other) : other_(other) {}
  int rank() const override { return 1; }
  int size() const override { return 2; }
  void add_up(std::vector<torch::Tensor> tensors) const override {
    for (auto& tensor : tensors) {
      EXPECT_TRUE(tensor.is_contiguous());
      tensor.mul_(1 + other_);
    }
  }
  void take_from_first(std::vector<torch::Tensor> tensors) const override {
    for (auto& tensor : tensors) {
      tensor.mul_(other_);
    }
  }
  std::vector<std::string> texts(const std::string& own) const override { return {own, own}; }
  std::unique_ptr<MeanGradients> mean_gradients(
      const std::vector<torch::Tensor>& /*parameters*/) const override {
    return nullptr;
  }

 private:
  std::int64_t other_;
};

TEST(Together, OfOneProcessEverythingStaysAsItIs) {
  const Together alone;
  EXPECT_TRUE(alone.is_alone());
  EXPECT_TRUE(alone.is_first());
  EXPECT_EQ(alone.share().count, 1);
  const auto tensor = torch::arange(6);
  alone.add_up({tensor});
  alone.take_from_first({tensor, torch::Tensor()});
  EXPECT_TRUE(tensor.equal(torch::arange(6)));
  EXPECT_EQ(alone.sum(2.5), 2.5);
  EXPECT_EQ(alone.of_first(std::int64_t{7}), 7);
  EXPECT_EQ(alone.of_all(7), std::vector<std::int64_t>{7});
  EXPECT_FALSE(alone.any(false));
  EXPECT_TRUE(alone.joined(tensor, 0).is_same(tensor));
  EXPECT_TRUE(alone.sum_with_gradient(tensor).is_same(tensor));
  EXPECT_EQ(records_of_all(alone, 3.0), std::vector<double>{3.0});
}

// Undefined ones, views that are not contiguous, and several types.
TEST(Together, TensorsOfAllLayoutsAreAddedUp) {
  const Together together(std::make_shared<SecondOfTwo>(2));
  EXPECT_FALSE(together.is_first());
  const auto wide = torch::ones({4, 3});
  const auto view = wide.t().narrow(1, 1, 2);
  const auto numbers = torch::full({5}, 7, torch::kLong);
  together.add_up({view, torch::Tensor(), numbers});
  EXPECT_TRUE(view.equal(torch::full({3, 2}, 3.0)));
  EXPECT_TRUE(wide[0].equal(torch::ones({3})));
  EXPECT_TRUE(numbers.equal(torch::full({5}, 21, torch::kLong)));
  EXPECT_EQ(together.sum(std::int64_t{4}), 12);
  EXPECT_EQ(together.of_first(3.0), 6.0);
}

// The other rank's part of the error has twice this one's gradient.
TEST(Together, TheGradientOfASumIsThatOfAllParts) {
  const Together together(std::make_shared<SecondOfTwo>(2));
  const auto x = torch::tensor({1.0, 2.0}, torch::requires_grad());
  const auto sum = together.sum_with_gradient(x * x);
  EXPECT_TRUE(sum.detach().equal(torch::tensor({3.0, 12.0})));
  sum.sum().backward();
  EXPECT_TRUE(x.grad().equal(3.0 * 2.0 * x.detach()));
}

TEST(Together, RecordsOfAllRanks) {
  const Together together(std::make_shared<SecondOfTwo>(0));
  const std::vector<double> own = {1.5, 2.5};
  EXPECT_EQ(records_of_all(together, own), (std::vector<std::vector<double>>{own, own}));
}

}  // namespace
}  // namespace actswap
