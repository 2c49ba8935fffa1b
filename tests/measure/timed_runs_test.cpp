// Latencies from made-up times.
#include <actswap/measure/timed_runs.h>

#include <gtest/gtest.h>

#include <numeric>

namespace actswap {
namespace {

// The times of runs that had a processor all the time.
TimedRuns undisturbed(const std::vector<double>& times) {
  return {times, std::accumulate(times.begin(), times.end(), 0.0)};
}

// The largest k with P(B < k) <= 0.025, from whole numbers in Python; beyond 1000 one less at most.
TEST(MedianInterval, HasTheRanksOfTheBinomialDistribution) {
  for (const auto& [count, rank] : std::vector<std::pair<int, double>>{
           {1, 1}, {5, 1}, {6, 1}, {9, 2}, {10, 2}, {20, 6}, {100, 40}, {1000, 469}, {1001, 469}}) {
    std::vector<double> values(static_cast<std::size_t>(count));
    std::iota(values.rbegin(), values.rend(), 1.0);
    const auto interval = median_interval(values);
    EXPECT_EQ(interval.low, rank) << count;
    EXPECT_EQ(interval.high, count + 1 - rank) << count;
  }
}

TEST(Summarise, GivesMinimumMedianAndTheMedianOfPairedRatios) {
  const auto latencies = summarise(
      {undisturbed({10, 11, 12, 11, 10, 11, 10.5}), undisturbed({5, 5.5, 6, 5.5, 5, 5.5, 5.25})});
  ASSERT_EQ(latencies.size(), 2U);
  EXPECT_EQ(latencies[0].median_ms, 11.0);
  EXPECT_EQ(latencies[0].minimum_ms, 10.0);
  EXPECT_EQ(latencies[0].ratio_to_first, 1.0);
  EXPECT_EQ(latencies[1].median_ms, 5.5);
  EXPECT_EQ(latencies[1].ratio_to_first, 0.5);
  EXPECT_EQ(latencies[1].ratio_interval.low, 0.5);
  EXPECT_EQ(latencies[1].ratio_interval.high, 0.5);
  EXPECT_EQ(latencies[1].doubt, "");
}

TEST(Summarise, DoubtsRunsWithoutAProcessor) {
  auto runs = undisturbed({10, 10, 10, 10, 10, 10});
  EXPECT_EQ(summarise({runs})[0].doubt, "");
  runs.processor_ms *= 0.85;
  const auto doubt = summarise({runs, runs})[1].doubt;
  EXPECT_EQ(doubt,
            "other programs kept the processors busy: the runs had one for 85 % of the time");
}

TEST(Summarise, DoubtsRunsThatDifferTooMuch) {
  const auto doubt = summarise({undisturbed({10, 10, 10, 13, 13, 13})})[0].doubt;
  EXPECT_NE(doubt.find("differ too much"), std::string::npos) << doubt;
}

TEST(Summarise, DoubtsFiguresThatContradictEachOther) {
  // The second takes 0.9 of the first in eight of nine pairs, and its median 0.99 of the first's.
  const auto latencies = summarise({undisturbed({10, 10, 10, 10, 10, 11, 11, 11, 11}),
                                    undisturbed({9, 9, 9, 9, 9.9, 9.9, 9.9, 9.9, 9.9})});
  EXPECT_NEAR(latencies[1].median_ms / latencies[0].median_ms, 0.99, 1e-12);
  EXPECT_NEAR(latencies[1].ratio_to_first, 0.9, 1e-12);
  EXPECT_NE(latencies[1].doubt.find("speed changed"), std::string::npos) << latencies[1].doubt;
}

TEST(Summarise, DoubtsFewRounds) {
  const auto doubt = summarise({undisturbed({10, 10, 10, 10, 10})})[0].doubt;
  EXPECT_NE(doubt.find("too few rounds"), std::string::npos) << doubt;
}

}  // namespace
}  // namespace actswap
