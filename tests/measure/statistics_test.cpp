#include <actswap/base/error.h>
#include <actswap/measure/statistics.h>

#include <gtest/gtest.h>

#include <limits>
#include <vector>

namespace actswap {
namespace {

// scipy 1.17.1: stats.t.ppf(probability, degrees)
TEST(Statistics, StudentsQuantiles) {
  struct Case {
    double probability;
    double degrees;
    double quantile;
  };
  for (const auto& [probability, degrees, quantile] :
       {Case{0.975, 1, 12.706204736174694}, Case{0.975, 2, 4.302652729749462},
        Case{0.975, 4, 2.7764451051977934}, Case{0.975, 9, 2.262157162798205},
        Case{0.975, 30, 2.0422724563012378}, Case{0.975, 9999, 1.960201263621357},
        Case{0.995, 2.5, 7.163728138948783}, Case{0.6, 3, 0.2766706623326898},
        Case{0.025, 4, -2.7764451051977943}, Case{0.975, 0.5, 164.55767348048818}}) {
    EXPECT_NEAR(student_quantile(probability, degrees), quantile, 1e-10 * std::abs(quantile))
        << probability << " " << degrees;
  }
  EXPECT_NEAR(student_quantile(0.5, 7), 0.0, 1e-12);
}

// scipy 1.17.1: stats.t.interval(0.95, 4, loc=d.mean(), scale=stats.sem(d)) of the differences
// between two columns of the README's table.
TEST(Statistics, IntervalOfPairedDifferences) {
  const std::vector<double> a = {91.2, 90.85, 90.76, 90.93, 90.74};
  const std::vector<double> b = {91.24, 90.80, 90.76, 90.91, 90.65};
  std::vector<double> differences;
  for (std::size_t i = 0; i < a.size(); ++i) {
    differences.push_back(a[i] - b[i]);
  }
  const auto interval = mean_interval(differences);
  EXPECT_EQ(interval.count, 5);
  EXPECT_NEAR(interval.mean, 0.024, 1e-12);
  EXPECT_NEAR(interval.half_width, 0.06120786425923459, 1e-12);
  EXPECT_FALSE(interval.is_distinct());
  for (auto& difference : differences) {
    difference += 0.05;
  }
  EXPECT_TRUE(mean_interval(differences).is_distinct());
}

TEST(Statistics, OneValueSaysNothingOfTheSpread) {
  const std::vector<double> one = {3.0};
  EXPECT_EQ(mean_interval(one).mean, 3.0);
  EXPECT_EQ(mean_interval(one).half_width, std::numeric_limits<double>::infinity());
  EXPECT_FALSE(mean_interval(one).is_distinct());
  const std::vector<double> same(10, 3.0);
  EXPECT_EQ(mean_interval(same).half_width, 0.0);
}

TEST(Statistics, WhatMakesNoSenseIsRefused) {
  EXPECT_THROW(mean_interval({}), UsageError);
  EXPECT_THROW(student_quantile(0.0, 3), UsageError);
  EXPECT_THROW(student_quantile(1.0, 3), UsageError);
  EXPECT_THROW(student_quantile(0.5, 0), UsageError);
}

}  // namespace
}  // namespace actswap
