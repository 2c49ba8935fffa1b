#include <actswap/base/error.h>
#include <actswap/data/fixed_batches.h>
#include <actswap/data/labels.h>
#include <actswap/data/loader.h>
#include <actswap/data/sample.h>
#include <actswap/data/split.h>
#include <actswap/data/subset.h>

#include <gtest/gtest.h>
#include <torch/script.h>

namespace actswap {
namespace {

std::shared_ptr<Dataset> numbers(std::int64_t size, std::int64_t batch) {
  return std::make_shared<FixedBatches>(
      std::make_shared<TensorDataset>(std::vector<torch::Tensor>{torch::arange(size)},
                                      torch::arange(size)),
      batch);
}

TEST(FixedBatches, ALoaderMakesNoOthers) {
  for (const bool drops : {false, true}) {
    const auto data = numbers(10, 4);
    const Loader loader(*data, {.batch_size = 64, .drop_last = drops});
    ASSERT_EQ(loader.batches_per_epoch(), 2);
    loader.for_each(0, [](std::int64_t, const Example& batch) {
      EXPECT_EQ(batch.inputs[0].size(0), 4);
      EXPECT_TRUE(torch::equal(batch.inputs[0], batch.target()));
    });
  }
  EXPECT_THROW(Loader(*numbers(3, 4), {}), UsageError);
}

TEST(FixedBatches, ALoaderMakesBatchesOfSeveralWhereAsked) {
  const auto data = numbers(42, 4);
  for (const bool drops : {false, true}) {
    const Loader loader(*data, {.batch_size = 16, .drop_last = drops, .joins_fixed = true});
    std::vector<std::int64_t> sizes;
    loader.for_each(0, [&](std::int64_t number, const Example& batch) {
      EXPECT_EQ(loader.batch_size(number), batch.inputs[0].size(0));
      EXPECT_EQ(loader.own_size(number), batch.inputs[0].size(0));
      sizes.push_back(batch.inputs[0].size(0));
    });
    EXPECT_EQ(sizes,
              (drops ? std::vector<std::int64_t>{16, 16} : std::vector<std::int64_t>{16, 12, 12}));
  }
  EXPECT_THROW(Loader(*data, {.batch_size = 18, .joins_fixed = true}), UsageError);
}

TEST(FixedBatches, SharesOfBatchesConsistOfThem) {
  const auto data = numbers(40, 4);
  std::int64_t seen = 0;
  for (int rank = 0; rank < 3; ++rank) {
    const Loader loader(*data, {.batch_size = 20, .joins_fixed = true, .share = {rank, 3}});
    loader.for_each(0, [&](std::int64_t number, const Example& batch) {
      EXPECT_EQ(batch.inputs[0].size(0) % 4, 0);
      EXPECT_EQ(batch.inputs[0].size(0), loader.own_size(number));
      seen += batch.inputs[0].size(0);
    });
  }
  EXPECT_EQ(seen, 40);
  EXPECT_THROW(Loader(*data, {.batch_size = 8, .joins_fixed = true, .share = {0, 3}}), UsageError);
}

TEST(FixedBatches, ASampleHasNoOthers) {
  const auto batches = sample_inputs(*numbers(10, 4), 9, 64, 0);
  ASSERT_EQ(batches.size(), 2U);
  EXPECT_EQ(batches[1][0].size(0), 4);
  EXPECT_EQ(sample_inputs(*numbers(3, 1), 3, 64, 0).size(), 3U);
  EXPECT_EQ(first_inputs(*numbers(10, 4))[0].size(0), 4);
  EXPECT_THROW(sample_inputs(*numbers(10, 4), 3, 64, 0), UsageError);
}

TEST(FixedBatches, PartsOfTheDataHaveThem) {
  const auto data = numbers(16, 4);
  EXPECT_EQ(Subset(*data, {1, 2}).fixed_batch(), 4);
  EXPECT_EQ(FirstExamples(*data, 8).fixed_batch(), 4);
  const auto split = hold_out(data, 16, 0);
  EXPECT_EQ(split.fitted->fixed_batch(), 4);
  EXPECT_EQ(split.held_out->fixed_batch(), 4);
  EXPECT_EQ(hold_out(numbers(9, 4), 9, 0).held_out->size(), 4) << "a quarter is no batch";
  EXPECT_THROW(hold_out(numbers(7, 4), 7, 0), UsageError);
}

TEST(FixedBatches, AllTargetsAreLookedAt) {
  EXPECT_EQ(label_range(*numbers(2000, 4), 10).count, 2000);
}

}  // namespace
}  // namespace actswap
