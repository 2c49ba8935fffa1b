// What a training does with checks: the best is kept, patience ends it, the ramp waits.
#include <gtest/gtest.h>

#include "train/modules.h"

#include <cmath>
#include <map>

namespace actswap {
namespace {

/// 8 steps an epoch; each check says the next of `drops`, and notes the weights that it sees.
struct CheckedTraining {
  std::vector<torch::Tensor> seen;
  std::vector<CheckRecord> checks;
  std::vector<double> blends;
  torch::Tensor at_end;
  std::int64_t steps = 0;
};

CheckedTraining run(const Schedule& schedule, const std::vector<double>& drops,
                    const std::function<void(TrainOptions&)>& change) {
  auto module = make_linear(4, 3);
  auto options = plain_options(Signal::mse);
  options.batch_size = 5;
  options.epochs = 2;
  options.check_every = 0.25;
  change(options);
  CheckedTraining trained;
  TrainCallbacks callbacks;
  callbacks.check = [&] {
    const auto drop = drops[trained.seen.size() % drops.size()];
    trained.seen.push_back(module.attr("w").toTensor().detach().clone());
    return Check{90.0 - drop, drop};
  };
  const auto records = train(
      module, {}, regression(), schedule, [&](double t) { trained.blends.push_back(t); }, options,
      callbacks);
  for (const auto& record : records) {
    trained.checks.insert(trained.checks.end(), record.checks.begin(), record.checks.end());
  }
  trained.steps = records.back().step;
  trained.at_end = module.attr("w").toTensor().detach().clone();
  return trained;
}

const std::vector<double> kDrops = {0.1, 0.0, 3.0, 2.0, 1.0, 2.0, 1.0, 4.0};

TEST(Checks, ComeWhenTheyAreDueAndAtTheEnd) {
  const auto trained = run(Schedule::linear({.end = 0.6}), kDrops, [](auto&) {});
  ASSERT_EQ(trained.checks.size(), 8U);
  const double t[] = {0.125 / 0.6, 0.375 / 0.6, 1, 1, 1, 1, 1, 1};
  const bool best[] = {false, false, true, true, true, false, true, false};
  for (std::size_t i = 0; i < 8; ++i) {
    EXPECT_EQ(trained.checks[i].step, static_cast<std::int64_t>(2 * (i + 1)));
    EXPECT_DOUBLE_EQ(trained.checks[i].t, t[i]) << i;
    EXPECT_EQ(trained.checks[i].best, best[i]) << i;
    EXPECT_EQ(trained.checks[i].drop, kDrops[i]);
    EXPECT_EQ(trained.checks[i].value, 90.0 - kDrops[i]);
    EXPECT_EQ(trained.checks[i].ramp, "");
  }
  EXPECT_TRUE(trained.at_end.equal(trained.seen.back())) << "the last is kept";
}

TEST(Checks, TheBestIsKeptOfThoseAtTheEndOfTheRamp) {
  const auto trained =
      run(Schedule::linear({.end = 0.6}), kDrops, [](auto& options) { options.keep = Keep::best; });
  // Of two equal ones the later, and not the better ones on the way.
  EXPECT_TRUE(trained.at_end.equal(trained.seen[6]));
  EXPECT_FALSE(trained.at_end.equal(trained.seen[4]));
  EXPECT_FALSE(trained.at_end.equal(trained.seen[7]));
}

TEST(Checks, WhatIsCheckedAndKeptIsTheAverage) {
  const auto plain = run(no_ramp(), kDrops, [](auto&) {});
  const auto last = run(no_ramp(), kDrops, [](auto& options) { options.average = 0.5; });
  const auto best = run(no_ramp(), kDrops, [](auto& options) {
    options.average = 0.5;
    options.keep = Keep::best;
  });
  EXPECT_FALSE(plain.seen[3].equal(last.seen[3])) << "the check saw no average";
  EXPECT_TRUE(last.at_end.equal(last.seen[7]));
  for (std::size_t i = 0; i < 8; ++i) {
    EXPECT_TRUE(best.seen[i].equal(last.seen[i])) << "a check disturbed the training";
  }
  EXPECT_TRUE(best.at_end.equal(best.seen[1]));
}

TEST(Checks, DoNotDisturbTheTraining) {
  const auto checked = run(no_ramp(), kDrops, [](auto&) {});
  const auto unchecked = run(no_ramp(), kDrops, [](auto& options) { options.check_every = 0.0; });
  EXPECT_TRUE(unchecked.checks.empty());
  EXPECT_TRUE(checked.at_end.equal(unchecked.at_end));
}

TEST(Checks, PatienceEndsTheTraining) {
  // At t = 1 from the third check on: 3, 2, 1, 2, 1: not better twice in a row.
  const auto trained =
      run(Schedule::linear({.end = 0.6}), kDrops, [](auto& options) { options.patience = 2; });
  EXPECT_EQ(trained.steps, 14);
  EXPECT_EQ(trained.checks.size(), 7U);
  EXPECT_TRUE(trained.at_end.equal(trained.seen[6]));
  EXPECT_EQ(trained.blends.back(), 1.0);
  const auto nan = std::numeric_limits<double>::quiet_NaN();
  EXPECT_EQ(run(no_ramp(), {nan}, [](auto& options) { options.patience = 3; }).steps, 6);
}

TEST(Checks, ATwentiethUnlessSaidOtherwise) {
  const auto trained = run(no_ramp(), {0.0}, [](auto& options) {
    options.check_every = 0.0;
    options.keep = Keep::best;
    options.epochs = 10;
  });
  ASSERT_EQ(trained.checks.size(), 20U);
  EXPECT_EQ(trained.checks[0].step, 4);
}

TEST(Checks, TheRampWaitsAndGoesBack) {
  // 16 steps of 1/8 epoch; the ramp takes 4 steps of 1/4; checks after each second step.
  const auto change = [](auto& options) { options.bound = 1.0; };
  const auto trained = run(Schedule::linear({.end = 0.5, .hold = 0.25}),
                           {0.5, 2.0, 2.0, 0.5, 0.5, 0.5, 0.5, 0.5}, change);
  // After 2 steps (t 0, 1/4) within; after 4 (2/4, 3/4) beyond: waits; after 6 beyond again: back
  // to 1/4; after 8 within: moves.
  const std::vector<double> expected = {0,    0.25, 0.5, 0.75, 0.75, 0.75, 0.25, 0.25, 0.5,
                                        0.75, 1,    1,   1,    1,    1,    1,    1};
  ASSERT_EQ(trained.blends.size(), expected.size());
  for (std::size_t i = 0; i < expected.size(); ++i) {
    EXPECT_DOUBLE_EQ(trained.blends[i], expected[i]) << i;
  }
  const char* ramp[] = {"moves", "waits", "steps back", "moves", "moves", "arrived", "arrived", ""};
  for (std::size_t i = 0; i < 8; ++i) {
    EXPECT_EQ(trained.checks[i].ramp, ramp[i]) << i;
  }
}

TEST(Checks, TheHoldIsKeptWhateverTheChecksSay) {
  for (const double hold : {0.0, 0.5}) {
    const auto trained = run(Schedule::linear({.end = 0.5, .hold = hold}), {9.0},
                             [](auto& options) { options.bound = 1.0; });
    // Half of the two epochs unless it is named.
    const double deadline = hold > 0.0 ? 1.5 : 1.0;
    for (std::size_t i = 0; i < trained.blends.size(); ++i) {
      const double progress = static_cast<double>(i) / 8.0;
      EXPECT_EQ(trained.blends[i] == 1.0, progress >= deadline) << i << " " << hold;
    }
  }
}

TEST(Checks, WhatTheyNeedIsAskedFor) {
  auto module = make_linear(4, 3);
  auto options = plain_options(Signal::mse);
  const auto message = [&](const Schedule& schedule, const TrainCallbacks& callbacks) {
    return usage_error(
        [&] { train(module, {}, regression(), schedule, kIgnoreBlend, options, callbacks); });
  };
  TrainCallbacks with_check;
  with_check.check = [] { return Check{}; };
  options.keep = Keep::best;
  EXPECT_NE(message(no_ramp(), {}).find("TrainCallbacks::check"), std::string::npos);
  EXPECT_EQ(message(no_ramp(), with_check), "");
  options.bound = 1.0;
  EXPECT_NE(message(Schedule::linear({.end = 0.75}), with_check).find("t = 1 by epoch 0.5"),
            std::string::npos);
}

TEST(Checks, SitesMoveOneAfterAnother) {
  auto module = make_linear(4, 3);
  auto options = plain_options(Signal::mse);
  options.batch_size = 5;  // 8 steps
  const auto ramps = one_after_another(Schedule::linear({.end = 0.5}), 2);
  std::vector<std::vector<double>> seen;
  std::vector<double> means;
  TrainCallbacks callbacks;
  callbacks.on_step = [&](const Progress& progress) { means.push_back(progress.t); };
  train(
      module, {}, regression(), ramps,
      [&](const std::vector<double>& blends) { seen.push_back(blends); }, options, callbacks);
  const std::vector<std::vector<double>> expected = {{0, 0}, {0.5, 0}, {1, 0}, {1, 0.5}, {1, 1},
                                                     {1, 1}, {1, 1},   {1, 1}, {1, 1}};
  EXPECT_EQ(seen, expected);
  EXPECT_EQ(means, (std::vector<double>{0, 0.25, 0.5, 0.75, 1, 1, 1, 1}));
  EXPECT_NE(usage_error([&] {
              train(
                  module, {}, regression(), std::vector<Schedule>{},
                  [](const std::vector<double>&) {}, options);
            }).find("one schedule or more"),
            std::string::npos);
}

}  // namespace
}  // namespace actswap
