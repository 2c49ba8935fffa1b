#include <actswap/base/error.h>
#include <actswap/prune/elimination.h>

#include <torch/script.h>
#include <torch/utils.h>

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <set>

namespace actswap {
namespace {

// Rows x and what is wanted of them; the readers' sums are made of these.
struct Rows {
  torch::Tensor x;  // rows x features
  torch::Tensor y;  // rows x outputs

  UnitReader reader(std::int64_t width) const {
    const auto units = x.size(1) / width;
    UnitReader reader;
    reader.xx = torch::mm(x.t(), x);
    reader.xy = torch::mm(x.t(), y);
    reader.whole = y.square().sum().item<double>();
    reader.units.resize(static_cast<std::size_t>(units));
    std::iota(reader.units.begin(), reader.units.end(), 0);
    reader.features = torch::arange(units * width).reshape({units, width});
    return reader;
  }
};

// Units are mixtures of fewer hidden values, so that they can stand in for each other.
Rows correlated_rows(std::int64_t features, std::int64_t seed, std::int64_t outputs = 4) {
  torch::manual_seed(seed);
  const auto options = torch::TensorOptions().dtype(torch::kDouble);
  const auto hidden = torch::randn({200, features / 2 + 1}, options);
  const auto x = torch::mm(hidden, torch::randn({features / 2 + 1, features}, options)) +
                 0.3 * torch::randn({200, features}, options);
  return {x, torch::mm(x, torch::randn({features, outputs}, options)) +
                 0.1 * torch::randn({200, outputs}, options)};
}

// What the best weights of these features alone lack, by solving for them, as a share of y.
double lacking(const Rows& rows, const std::vector<std::int64_t>& units, std::int64_t width,
               double ridge) {
  const auto whole = rows.y.square().sum();
  if (units.empty()) {
    return 1.0;
  }
  const auto strength = ridge * torch::mm(rows.x.t(), rows.x).diagonal().mean();
  const auto features =
      (torch::tensor(units).unsqueeze(1) * width + torch::arange(width)).flatten();
  const auto x = rows.x.index_select(1, features);
  const auto xx = torch::mm(x.t(), x) + (strength + 1e-12) * torch::eye(x.size(1), torch::kDouble);
  const auto weight = torch::linalg_solve(xx, torch::mm(x.t(), rows.y));
  const auto left =
      (torch::mm(x, weight) - rows.y).square().sum() + (strength + 1e-12) * weight.square().sum();
  return (left / whole).item<double>();
}

double added_loss(const Rows& rows, const std::vector<std::int64_t>& kept, std::int64_t width,
                  double ridge) {
  std::vector<std::int64_t> all(static_cast<std::size_t>(rows.x.size(1) / width));
  std::iota(all.begin(), all.end(), 0);
  return lacking(rows, kept, width, ridge) - lacking(rows, all, width, ridge);
}

std::vector<std::int64_t> without(std::vector<std::int64_t> units, std::int64_t unit) {
  std::erase(units, unit);
  return units;
}

constexpr double kRounding = 1e-9;

TEST(Elimination, APriceIsWhatTheRemovalAddsToTheResidual) {
  for (const std::int64_t width : {1, 3}) {
    for (const double ridge : {0.0, 1e-3, 0.1}) {
      const auto rows = correlated_rows(12, 1);
      const auto units = 12 / width;
      Elimination elimination(units, {rows.reader(width)}, ridge);
      const auto prices = elimination.prices();
      const auto all = elimination.kept();
      for (std::int64_t unit = 0; unit < units; ++unit) {
        EXPECT_NEAR(prices[unit].item<double>(), added_loss(rows, without(all, unit), width, ridge),
                    kRounding);
      }
    }
  }
}

// Of the kept and of the removed ones, wherever the elimination stands.
TEST(Elimination, LossAndPricesStayExactAlongTheWay) {
  const auto rows = correlated_rows(16, 2);
  Elimination elimination(8, {rows.reader(2)}, 1e-3);
  for (const std::vector<std::int64_t>& moved :
       {std::vector<std::int64_t>{3}, {0, 5}, {3}, {1, 2, 7}, {0, 1}}) {
    elimination.toggle(moved);
    const auto kept = elimination.kept();
    EXPECT_NEAR(elimination.loss(), added_loss(rows, kept, 2, 1e-3), kRounding);
    const auto prices = elimination.prices();
    for (std::int64_t unit = 0; unit < 8; ++unit) {
      const bool is_kept = std::ranges::find(kept, unit) != kept.end();
      auto other = without(kept, unit);
      if (!is_kept) {
        other.push_back(unit);
      }
      EXPECT_NEAR(prices[unit].item<double>(),
                  std::abs(added_loss(rows, other, 2, 1e-3) - elimination.loss()), kRounding);
    }
  }
}

TEST(Elimination, TheLossesOfAllReadersAddUp) {
  const auto first = correlated_rows(8, 3);
  const auto second = correlated_rows(24, 4);
  Elimination elimination(8, {first.reader(1), second.reader(3)}, 1e-3);
  elimination.toggle({2, 6});
  const std::vector<std::int64_t> kept = {0, 1, 3, 4, 5, 7};
  EXPECT_NEAR(elimination.loss(),
              added_loss(first, kept, 1, 1e-3) + added_loss(second, kept, 3, 1e-3), kRounding);
}

// A feature that belongs to no unit stays, and may stand in for those that go.
TEST(Elimination, FeaturesOfNoUnitStay) {
  const auto rows = correlated_rows(6, 5);
  auto reader = rows.reader(1);
  reader.units = {0, 1, 3};
  reader.features = torch::tensor({{0}, {1}, {4}}, torch::kLong);
  Elimination elimination(4, {reader}, 1e-3);  // unit 2 has nothing here
  EXPECT_EQ(elimination.prices()[2].item<double>(), 0.0);
  elimination.toggle({1, 2, 3});
  EXPECT_NEAR(elimination.loss(), added_loss(rows, {0, 2, 3, 5}, 1, 1e-3), kRounding);
}

TEST(Elimination, DeadUnitsCostNothingAndCopiesOfOthersNextToNothing) {
  auto rows = correlated_rows(8, 6);
  rows.x.select(1, 2).zero_();
  rows.x.select(1, 5).copy_(rows.x.select(1, 0));
  Elimination elimination(8, {rows.reader(1)});
  const auto curve = elimination.eliminate(1);
  EXPECT_EQ(curve.order[0], 2);
  EXPECT_EQ(curve.loss[1], 0.0);
  EXPECT_TRUE(curve.order[1] == 5 || curve.order[1] == 0);
  EXPECT_LT(curve.loss[2], 1e-3);  // the ridge's share: two weights become one of twice the size
  EXPECT_EQ(curve.order.size(), 7U);
  EXPECT_TRUE(std::ranges::is_sorted(curve.loss));
}

TEST(Elimination, WhatGoesFirstIsSaid) {
  Elimination elimination(8, {correlated_rows(8, 7).reader(1)});
  const auto curve = elimination.eliminate(3, {6, 1});
  EXPECT_EQ(curve.order[0], 6);
  EXPECT_EQ(curve.order[1], 1);
  EXPECT_EQ(curve.order.size(), 5U);
  EXPECT_EQ(elimination.kept().size(), 3U);
}

// Against the best of all subsets, and against those that magnitude and chance choose.
TEST(Elimination, EliminationWithExchangesIsNeverWorseThanMagnitude) {
  double eliminated = 0.0;
  double exchanged = 0.0;
  double best_of_all = 0.0;
  for (std::int64_t seed = 10; seed < 22; ++seed) {
    const auto rows = correlated_rows(9, seed);
    Elimination elimination(9, {rows.reader(1)}, 1e-3);
    elimination.eliminate(4);
    const double greedy = elimination.loss();
    elimination.exchange();
    const double found = elimination.loss();
    EXPECT_LE(found, greedy + kRounding);
    EXPECT_NEAR(found, added_loss(rows, elimination.kept(), 1, 1e-3), kRounding);

    const auto solution =
        torch::linalg_solve(torch::mm(rows.x.t(), rows.x), torch::mm(rows.x.t(), rows.y));
    const auto largest = std::get<1>(solution.norm(2, 1).topk(4));
    const std::vector<std::int64_t> by_magnitude(largest.const_data_ptr<std::int64_t>(),
                                                 largest.const_data_ptr<std::int64_t>() + 4);
    EXPECT_LE(found, added_loss(rows, by_magnitude, 1, 1e-3) + kRounding);

    double best = std::numeric_limits<double>::infinity();
    for (unsigned subset = 0; subset < (1U << 9U); ++subset) {
      std::vector<std::int64_t> kept;
      for (std::int64_t i = 0; i < 9; ++i) {
        if ((subset >> i) & 1U) {
          kept.push_back(i);
        }
      }
      if (kept.size() == 4) {
        best = std::min(best, added_loss(rows, kept, 1, 1e-3));
      }
    }
    EXPECT_GE(found, best - kRounding);
    eliminated += greedy;
    exchanged += found;
    best_of_all += best;
  }
  EXPECT_LT(exchanged, eliminated);          // exchanges help somewhere
  EXPECT_LT(exchanged, 1.05 * best_of_all);  // a local search
}

TEST(Elimination, ManyUnitsGoInFewStepsAtNearlyTheSameLoss) {
  const auto rows = correlated_rows(300, 30, 2);
  Elimination elimination(300, {rows.reader(1)});
  const auto curve = elimination.eliminate(150);
  EXPECT_EQ(std::set<std::int64_t>(curve.order.begin(), curve.order.end()).size(), 150U);
  EXPECT_EQ(curve.loss.size(), 151U);
  EXPECT_NEAR(curve.loss.back(), elimination.loss(), kRounding);
  EXPECT_NEAR(elimination.loss(), added_loss(rows, elimination.kept(), 1, Elimination::kRidge),
              kRounding);
}

// What is left of the loss is rounding: exchanges would go on for ever.
TEST(Elimination, ExchangesNothingWhereNothingIsLost) {
  auto rows = correlated_rows(12, 9);
  rows.x.narrow(1, 0, 6).zero_();
  Elimination elimination(12, {rows.reader(1)});
  elimination.eliminate(6);
  EXPECT_EQ(elimination.kept(), (std::vector<std::int64_t>{6, 7, 8, 9, 10, 11}));
  EXPECT_EQ(elimination.exchange(), 0);
}

TEST(Elimination, RefusesValuesThatAreNotFinite) {
  auto reader = correlated_rows(4, 8).reader(1);
  reader.xy[1][1] = std::nan("");
  EXPECT_THROW(Elimination(4, {reader}), UsageError);
}

// Inputs that hardly vary, less their mean: of the sums remains what rounding made of them.
TEST(Elimination, NumbersThatAreRoundingAloneEndInARidge) {
  for (const double size : {1e-3, 1e-18, 1e-300}) {
    const auto rows = correlated_rows(4, 1);
    auto reader = rows.reader(1);
    reader.xx = -size * torch::eye(4, torch::kDouble);
    reader.xx[0][1] = reader.xx[1][0] = 5.0 * size;
    Elimination elimination(4, {reader});
    EXPECT_TRUE(elimination.prices().isfinite().all().item<bool>()) << size;
    elimination.eliminate(1);
    EXPECT_TRUE(std::isfinite(elimination.loss())) << size;
  }
}

TEST(Elimination, InputsThatAreAllZeroCostNothing) {
  Rows rows = correlated_rows(4, 9);
  rows.x.zero_();
  Elimination elimination(4, {rows.reader(1)});
  EXPECT_EQ(elimination.eliminate(1).loss, std::vector<double>(4, 0.0));
}

}  // namespace
}  // namespace actswap
