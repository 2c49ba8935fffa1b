#include <actswap/measure/partial_swap.h>
#include <actswap/report/partial_swap.h>

#include <gtest/gtest.h>

#include <cmath>

namespace actswap {
namespace {

TEST(FewestKept, FindsEveryNumberInFewTrials) {
  for (std::size_t sites = 1; sites <= 130; ++sites) {
    for (std::size_t needed = 0; needed < sites; ++needed) {
      std::size_t trials = 0;
      const auto kept = fewest_kept(sites, [&](std::size_t count) {
        EXPECT_LT(count, sites);
        ++trials;
        return count >= needed;
      });
      ASSERT_TRUE(kept) << needed << " of " << sites;
      EXPECT_EQ(*kept, needed);
      EXPECT_LE(static_cast<double>(trials), 2.0 + 2.0 * std::log2(static_cast<double>(sites)));
    }
  }
}

TEST(FewestKept, AsksOnceWhereAllCanBeSwapped) {
  std::size_t trials = 0;
  EXPECT_EQ(fewest_kept(57, [&](std::size_t) { return ++trials > 0; }), 0U);
  EXPECT_EQ(trials, 1U);
}

TEST(FewestKept, SaysWhereNothingIsEnough) {
  for (const std::size_t sites : {0, 1, 2, 57}) {
    EXPECT_FALSE(fewest_kept(sites, [](std::size_t) { return false; })) << sites;
  }
}

TEST(PartialSwapTable, ShowsTheCurveAndWhatWasChosen) {
  PartialSwap partial{.measure = "cosine", .wish = 0.98, .sites = 3, .latency_ms = 4.0};
  partial.points = {{.kept = 0, .value = 0.9, .saved_ms = 2.0},
                    {.kept = 1, .value = 0.99, .meets = true, .saved_ms = 1.0}};
  partial.kept = 1;
  EXPECT_EQ(partial_swap_table(partial),
            "sites kept   cosine                 time saved\n"
            "0            0.9                    2.000 ms, 50.0 %\n"
            "1            0.99                   1.000 ms, 25.0 %  <- chosen\n");
  EXPECT_EQ(wish_in_words(partial), "a cosine of 0.98 or more");
}

}  // namespace
}  // namespace actswap
