#include <actswap/base/error.h>
#include <actswap/data/loader.h>
#include <actswap/data/subset.h>
#include <gtest/gtest.h>
#include <torch/script.h>

#include <algorithm>
#include <atomic>
#include <limits>
#include <numeric>
#include <set>
#include <thread>

namespace {

using actswap::Dataset;
using actswap::Example;
using actswap::Loader;
using actswap::shuffled_indices;
using actswap::Subset;
using actswap::TensorDataset;
using actswap::UsageError;
using Batches = std::vector<std::vector<std::int64_t>>;

TensorDataset numbers(std::int64_t size) {
  return {{torch::arange(size), torch::arange(size).to(torch::kFloat32).unsqueeze(1)},
          torch::arange(size) * 2};
}

Batches run(const Loader& loader, std::int64_t epoch) {
  Batches batches;
  loader.for_each(epoch, [&](std::int64_t index, const Example& example) {
    EXPECT_EQ(index, static_cast<std::int64_t>(batches.size()));
    EXPECT_TRUE(torch::equal(example.inputs[0] * 2, example.target()));
    EXPECT_TRUE(torch::equal(example.inputs[0].to(torch::kFloat32), example.inputs[1].squeeze(1)));
    const auto values = example.inputs[0].contiguous();
    batches.emplace_back(values.data_ptr<std::int64_t>(),
                         values.data_ptr<std::int64_t>() + values.numel());
  });
  return batches;
}

std::vector<std::int64_t> flat(const Batches& batches) {
  std::vector<std::int64_t> all;
  for (const auto& batch : batches) {
    all.insert(all.end(), batch.begin(), batch.end());
  }
  return all;
}

TEST(ShuffledIndices, ArePermutationsOfSeedAndEpochAlone) {
  std::set<std::vector<std::int64_t>> seen;
  for (std::uint64_t seed = 0; seed < 4; ++seed) {
    for (std::int64_t epoch = 0; epoch < 4; ++epoch) {
      auto order = shuffled_indices(50, seed, epoch);
      EXPECT_EQ(order, shuffled_indices(50, seed, epoch));
      EXPECT_TRUE(seen.insert(order).second) << "seed " << seed << ", epoch " << epoch;
      std::sort(order.begin(), order.end());
      for (std::int64_t i = 0; i < 50; ++i) {
        ASSERT_EQ(order[static_cast<std::size_t>(i)], i);
      }
    }
  }
  EXPECT_TRUE(shuffled_indices(0, 0, 0).empty());
  EXPECT_EQ(shuffled_indices(1, 7, 7), std::vector<std::int64_t>{0});
  EXPECT_THROW(shuffled_indices(-1, 0, 0), UsageError);
}

// A recorded run must stay repeatable: this order may not change with the library's version.
TEST(ShuffledIndices, StayWhatTheyAre) {
  EXPECT_EQ(shuffled_indices(8, 1, 0), (std::vector<std::int64_t>{0, 5, 2, 7, 3, 4, 1, 6}));
}

TEST(ShuffledIndices, FavourNoPlace) {
  constexpr int kSize = 6;
  constexpr int kRuns = 60000;
  int counts[kSize][kSize] = {};
  for (int epoch = 0; epoch < kRuns; ++epoch) {
    const auto order = shuffled_indices(kSize, 3, epoch);
    for (int place = 0; place < kSize; ++place) {
      ++counts[place][order[static_cast<std::size_t>(place)]];
    }
  }
  for (const auto& place : counts) {
    for (const int count : place) {
      EXPECT_NEAR(count, kRuns / kSize, 460);  // five standard deviations
    }
  }
}

TEST(TensorDataset, RefusesTensorsThatDoNotFit) {
  EXPECT_THROW(TensorDataset({}, torch::arange(3)), UsageError);
  EXPECT_THROW(TensorDataset({torch::Tensor()}, {}), UsageError);
  EXPECT_THROW(TensorDataset({torch::tensor(1)}, {}), UsageError);
  EXPECT_THROW(TensorDataset({torch::arange(3), torch::arange(4)}, {}), UsageError);
  EXPECT_THROW(TensorDataset({torch::arange(3)}, torch::arange(4)), UsageError);
}

TEST(TensorDataset, TakesIndices) {
  const auto data = numbers(5);
  const std::vector<std::int64_t> indices = {4, 0, 4};
  EXPECT_TRUE(torch::equal(data.get(indices).target(), torch::tensor({8, 0, 8})));
  EXPECT_FALSE(TensorDataset({torch::arange(3)}, {}).get({}).target().defined());
  for (const std::int64_t bad : {-1, 5}) {
    EXPECT_THROW(data.get(std::vector<std::int64_t>{bad}), UsageError);
  }
}

TEST(Loader, GivesEachExampleOnce) {
  const auto data = numbers(23);
  for (const std::int64_t batch_size : {1, 5, 23, 100}) {
    const Loader loader(data, {.batch_size = batch_size});
    const auto batches = run(loader, 0);
    EXPECT_EQ(static_cast<std::int64_t>(batches.size()), loader.batches_per_epoch());
    auto all = flat(batches);
    EXPECT_FALSE(std::is_sorted(all.begin(), all.end()));
    std::sort(all.begin(), all.end());
    std::vector<std::int64_t> expected(23);
    std::iota(expected.begin(), expected.end(), 0);
    EXPECT_EQ(all, expected);
  }
}

TEST(Loader, OrderDependsOnSeedAndEpochAlone) {
  const auto data = numbers(40);
  const Loader loader(data, {.batch_size = 8, .seed = 5});
  const auto first = run(loader, 0);
  EXPECT_NE(first, run(loader, 1));
  EXPECT_EQ(first, run(loader, 0)) << "an epoch in between must not matter";
  EXPECT_EQ(first, run(Loader(data, {.batch_size = 8, .seed = 5}), 0));
  EXPECT_NE(first, run(Loader(data, {.batch_size = 8, .seed = 6}), 0));
  EXPECT_EQ(flat(first), shuffled_indices(40, 5, 0));
  const auto plain = flat(run(Loader(data, {.batch_size = 8, .shuffle = false}), 3));
  EXPECT_TRUE(std::is_sorted(plain.begin(), plain.end()));
}

TEST(Loader, DropsTheLastBatchWhereAsked) {
  const auto data = numbers(23);
  const Loader dropping(data, {.batch_size = 10, .drop_last = true});
  EXPECT_EQ(dropping.batches_per_epoch(), 2);
  const auto batches = run(dropping, 0);
  ASSERT_EQ(batches.size(), 2U);
  EXPECT_EQ(batches[0].size(), 10U);
  EXPECT_EQ(batches[1].size(), 10U);
  auto order = flat(run(Loader(data, {.batch_size = 10}), 0));
  order.resize(20);
  EXPECT_EQ(flat(batches), order);
}

// Otherwise no batch is much smaller than the others, or has a single example.
TEST(Loader, SharesExamplesOutEvenly) {
  const auto sizes = [](std::int64_t size, std::int64_t batch_size) {
    const auto data = numbers(size);
    std::vector<std::size_t> found;
    for (const auto& batch : run(Loader(data, {.batch_size = batch_size}), 0)) {
      found.push_back(batch.size());
    }
    return found;
  };
  using Sizes = std::vector<std::size_t>;
  EXPECT_EQ(sizes(23, 10), (Sizes{8, 8, 7}));
  EXPECT_EQ(sizes(20, 10), (Sizes{10, 10}));
  EXPECT_EQ(sizes(33, 32), (Sizes{17, 16}));
  EXPECT_EQ(sizes(5, 2), (Sizes{3, 2}));
  EXPECT_EQ(sizes(3, 2), Sizes{3});
  EXPECT_EQ(sizes(3, 1), (Sizes{1, 1, 1})) << "asked for";
  EXPECT_EQ(sizes(1, 4), Sizes{1});
}

TEST(Loader, RefusesWhatHasNoBatch) {
  const auto data = numbers(3);
  const auto none = numbers(0);
  EXPECT_THROW(Loader(data, {.batch_size = 0}), UsageError);
  EXPECT_THROW(Loader(none, {}), UsageError);
  EXPECT_THROW(Loader(data, {.batch_size = 4, .drop_last = true}), UsageError);
  const auto most = std::numeric_limits<std::int64_t>::max();
  EXPECT_EQ(Loader(data, {.batch_size = most}).batches_per_epoch(), 1);
}

/// Counts what is going on in it, and fails at one call if asked to.
struct Watched : Dataset {
  std::int64_t size() const override { return 100; }
  Example get(std::span<const std::int64_t> indices) const override {
    inside = true;
    const int call = calls++;
    thread = std::this_thread::get_id();
    gradients = gradients || torch::GradMode::is_enabled();
    most_threads = std::max<int>(most_threads, at::get_num_threads());
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    inside = false;
    if (call == fail_at) {
      throw std::out_of_range("from the data set");
    }
    return {{torch::zeros({static_cast<std::int64_t>(indices.size())})}, {}};
  }
  int fail_at = -1;
  mutable std::atomic<int> calls = 0;
  mutable std::atomic<bool> inside = false;
  mutable std::atomic<bool> gradients = false;
  mutable std::atomic<int> most_threads = 0;
  mutable std::atomic<std::thread::id> thread;
};

TEST(Loader, PreparesOneBatchAheadInTheBackground) {
  const Watched data;
  Loader(data, {.batch_size = 10}).for_each(0, [&](std::int64_t batch, const Example&) {
    EXPECT_NE(data.thread.load(), std::this_thread::get_id());
    std::this_thread::sleep_for(std::chrono::milliseconds(30));
    EXPECT_LE(data.calls, batch + 2) << "no more than one ahead";
    EXPECT_TRUE(torch::GradMode::is_enabled()) << "the body's own mode is left alone";
  });
  EXPECT_EQ(data.calls, 10);
  EXPECT_FALSE(data.gradients);
}

TEST(Loader, LeavesTheThreadsOfKernelsToTheBody) {
  const int before = at::get_num_threads();
  at::set_num_threads(3);
  const Watched data;
  int in_body = 0;
  int in_new_thread = 0;
  Loader(data, {.batch_size = 50}).for_each(0, [&](auto, const Example&) {
    in_body = at::get_num_threads();
    std::thread([&] { in_new_thread = at::get_num_threads(); }).join();
  });
  EXPECT_EQ(data.most_threads, 1);
  EXPECT_EQ(in_body, 3);
  EXPECT_EQ(in_new_thread, 3);
  at::set_num_threads(before);
}

TEST(Loader, PassesOnWhatTheDataSetThrows) {
  for (const int fail_at : {0, 1, 5, 9}) {
    Watched data;
    data.fail_at = fail_at;
    int seen = 0;
    EXPECT_THROW(
        Loader(data, {.batch_size = 10}).for_each(0, [&](auto, const Example&) { ++seen; }),
        std::out_of_range);
    EXPECT_EQ(seen, fail_at) << "the batches before it are still given";
  }
}

TEST(Loader, PassesOnWhatTheBodyThrowsAfterTheThreadHasEnded) {
  for (const std::int64_t at : {0, 1, 5, 9}) {
    for (const int wait : {0, 20}) {  // the next batch under way, or ready
      const Watched data;
      const Loader loader(data, {.batch_size = 10});
      EXPECT_THROW(loader.for_each(0,
                                   [&](std::int64_t batch, const Example&) {
                                     if (batch == at) {
                                       std::this_thread::sleep_for(std::chrono::milliseconds(wait));
                                       throw actswap::Interrupted("stop");
                                     }
                                   }),
                   actswap::Interrupted);
      EXPECT_FALSE(data.inside);
      EXPECT_LE(data.calls, at + 2);
    }
  }
}

TEST(Subset, HasItsOwnNumbers) {
  const TensorDataset data({torch::arange(10) * 10}, torch::arange(10));
  const Subset some(data, {7, 2, 5});
  EXPECT_EQ(some.size(), 3);
  const std::vector<std::int64_t> indices = {2, 0};
  const auto example = some.get(indices);
  EXPECT_TRUE(torch::equal(example.inputs[0], torch::tensor({50, 70})));
  EXPECT_TRUE(torch::equal(example.target(), torch::tensor({5, 7})));
}

}  // namespace
