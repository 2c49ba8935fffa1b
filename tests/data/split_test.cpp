#include <actswap/base/error.h>
#include <actswap/data/split.h>

#include <gtest/gtest.h>
#include <torch/script.h>

#include <numeric>
#include <set>

namespace actswap {
namespace {

std::shared_ptr<Dataset> numbers(std::int64_t count) {
  return std::make_shared<TensorDataset>(std::vector<torch::Tensor>{torch::arange(count)},
                                         torch::arange(count));
}

std::set<std::int64_t> examples(const Dataset& data) {
  std::vector<std::int64_t> indices(static_cast<std::size_t>(data.size()));
  std::iota(indices.begin(), indices.end(), 0);
  const auto values = data.get(indices).inputs.at(0);
  return {values.data_ptr<std::int64_t>(), values.data_ptr<std::int64_t>() + values.numel()};
}

TEST(HoldOut, TakesWhatTheFitDoesNotLookAtOrAQuarter) {
  struct Case {
    std::int64_t size, used, held_out;
  };
  for (const auto& [size, used, held_out] :
       {Case{2, 1024, 1}, {64, 1024, 16}, {64, 40, 24}, {2000, 1024, 256}, {8000, 8000, 256}}) {
    const auto split = hold_out(numbers(size), used, 3);
    EXPECT_EQ(split.held_out->size(), held_out) << size;
    auto all = examples(*split.fitted);
    EXPECT_EQ(static_cast<std::int64_t>(all.size()), size - held_out);
    all.merge(examples(*split.held_out));
    EXPECT_EQ(static_cast<std::int64_t>(all.size()), size) << "each example is in one part";
  }
}

TEST(HoldOut, KeepsTargetsWhereTheModelIsFitted) {
  const auto split = hold_out(numbers(8), 8, 0);
  const std::int64_t first = 0;
  EXPECT_TRUE(split.fitted->get({&first, 1}).target().defined());
  EXPECT_FALSE(split.held_out->get({&first, 1}).target().defined());
}

TEST(HoldOut, FollowsTheSeed) {
  EXPECT_EQ(examples(*hold_out(numbers(64), 64, 1).held_out),
            examples(*hold_out(numbers(64), 64, 1).held_out));
  EXPECT_NE(examples(*hold_out(numbers(64), 64, 1).held_out),
            examples(*hold_out(numbers(64), 64, 2).held_out));
}

TEST(HoldOut, RefusesASingleExample) {
  EXPECT_THROW(hold_out(numbers(1), 1, 0), UsageError);
}

}  // namespace
}  // namespace actswap
