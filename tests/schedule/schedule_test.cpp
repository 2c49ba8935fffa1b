#include <actswap/base/error.h>
#include <actswap/schedule/schedule.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <numbers>

namespace {

using actswap::Curve;
using actswap::Schedule;
using actswap::ScheduleOptions;
using actswap::ScheduleUnit;

constexpr Curve kAll[] = {Curve::linear, Curve::cosine, Curve::cubic, Curve::step};

TEST(Schedule, IsExactlyZeroBeforeAndExactlyOneAfter) {
  for (const Curve curve : kAll) {
    const Schedule schedule(curve, {.begin = 0.3, .end = 2.7, .hold = 1.0});
    for (const double before : {-5.0, 0.0, 0.1, 0.3}) {
      EXPECT_EQ(schedule.at(before), 0.0) << to_string(curve) << " at " << before;
    }
    for (const double after : {2.7, 2.8, 3.7, 1e9}) {
      EXPECT_EQ(schedule.at(after), 1.0) << to_string(curve) << " at " << after;
    }
  }
}

TEST(Schedule, NeverFallsAndStaysInRange) {
  for (const Curve curve : kAll) {
    const Schedule schedule(curve, {.begin = 1.0 / 3.0, .end = 7.0 / 3.0});
    double last = 0.0;
    for (int step = 0; step <= 3000; ++step) {
      const double t = schedule.at(step / 1000.0);
      EXPECT_GE(t, last) << to_string(curve) << " at " << step / 1000.0;
      EXPECT_LE(t, 1.0);
      last = t;
    }
    EXPECT_EQ(last, 1.0);
  }
}

TEST(Schedule, FollowsEachFormula) {
  const ScheduleOptions options{.begin = 1.0, .end = 5.0};
  for (const double u : {0.125, 0.25, 0.5, 0.6, 0.9}) {
    const double progress = 1.0 + 4.0 * u;
    EXPECT_NEAR(Schedule::linear(options).at(progress), u, 1e-15);
    EXPECT_NEAR(Schedule::cosine(options).at(progress), (1 - std::cos(std::numbers::pi * u)) / 2,
                1e-15);
    EXPECT_NEAR(Schedule::cubic(options).at(progress), u * u * (3 - 2 * u), 1e-15);
    EXPECT_EQ(Schedule::step(options).at(progress), 0.0);
  }
  EXPECT_DOUBLE_EQ(Schedule::linear(options).at(2.0), 0.25);
  EXPECT_DOUBLE_EQ(Schedule::cosine(options).at(3.0), 0.5);
  EXPECT_DOUBLE_EQ(Schedule::cubic(options).at(2.0), 0.15625);
}

TEST(Schedule, OfNoLengthIsAJump) {
  for (const Curve curve : kAll) {
    const Schedule schedule(curve, {.begin = 2.0, .end = 2.0});
    EXPECT_EQ(schedule.at(std::nextafter(2.0, 0.0)), 0.0);
    EXPECT_EQ(schedule.at(2.0), 1.0);
    EXPECT_EQ(Schedule(curve, {}).at(0.0), 1.0);
  }
}

TEST(Schedule, TurnsStepsIntoEpochs) {
  const Schedule steps =
      Schedule::linear({.begin = 50, .end = 250, .hold = 100, .unit = ScheduleUnit::steps});
  const Schedule epochs = steps.in_epochs(100);
  EXPECT_EQ(epochs.options().unit, ScheduleUnit::epochs);
  EXPECT_EQ(epochs.curve(), Curve::linear);
  EXPECT_DOUBLE_EQ(epochs.options().begin, 0.5);
  EXPECT_DOUBLE_EQ(epochs.options().end, 2.5);
  EXPECT_DOUBLE_EQ(epochs.options().hold, 1.0);
  EXPECT_DOUBLE_EQ(epochs.length(), 3.5);
  EXPECT_DOUBLE_EQ(epochs.at(1.5), steps.at(150));
  EXPECT_DOUBLE_EQ(epochs.in_epochs(7).options().end, 2.5) << "epochs are left as they are";
}

TEST(Schedule, RefusesWhatMakesNoSense) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const double infinity = std::numeric_limits<double>::infinity();
  const ScheduleOptions bad[] = {
      {.begin = -1}, {.begin = 2, .end = 1}, {.hold = -1},      {.begin = nan, .end = 1},
      {.end = nan},  {.end = infinity},      {.hold = infinity}};
  for (const auto& options : bad) {
    EXPECT_THROW(Schedule::cosine(options), actswap::UsageError)
        << options.begin << " " << options.end << " " << options.hold;
  }
  const Schedule steps = Schedule::step({.end = 5, .unit = ScheduleUnit::steps});
  for (const double count : {0.0, -1.0, nan, infinity}) {
    EXPECT_THROW(steps.in_epochs(count), actswap::UsageError) << count;
  }
  EXPECT_THROW(Schedule::linear({.end = 1}).at(nan), actswap::UsageError);
}

TEST(Schedule, KnowsItsCurvesByName) {
  for (const Curve curve : kAll) {
    EXPECT_EQ(actswap::parse_curve(actswap::to_string(curve)), curve);
  }
  try {
    actswap::parse_curve("sigmoid");
    FAIL() << "accepted an unknown curve";
  } catch (const actswap::UsageError& error) {
    const std::string message = error.what();
    EXPECT_NE(message.find("sigmoid"), std::string::npos);
    EXPECT_NE(message.find("cosine"), std::string::npos);
  }
}

TEST(OneAfterAnother, CutsTheRampIntoWindows) {
  const Schedule whole(Curve::cubic, {.begin = 0.5, .end = 3.5, .hold = 1.0});
  const auto windows = actswap::one_after_another(whole, 3);
  ASSERT_EQ(windows.size(), 3U);
  // By hand: [0.5, 1.5], [1.5, 2.5], [2.5, 3.5]; the cubic at 1/4 is 5/32.
  const double progress[] = {0.5, 0.75, 1.5, 1.75, 2.5, 2.75, 3.5};
  const double expected[3][7] = {
      {0, 0.15625, 1, 1, 1, 1, 1}, {0, 0, 0, 0.15625, 1, 1, 1}, {0, 0, 0, 0, 0, 0.15625, 1}};
  for (int site = 0; site < 3; ++site) {
    for (int i = 0; i < 7; ++i) {
      EXPECT_DOUBLE_EQ(windows[site].at(progress[i]), expected[site][i]) << site << " " << i;
    }
    EXPECT_EQ(windows[site].options().hold, 1.0);
  }
  EXPECT_EQ(windows[2].length(), whole.length());
}

TEST(OneAfterAnother, OneSiteAtATimeAndAllAtTheEnd) {
  for (const Curve curve : kAll) {
    const Schedule whole(curve, {.begin = 0.1, .end = 0.7});
    const auto windows = actswap::one_after_another(whole, 7);
    for (int step = 0; step <= 1000; ++step) {
      int moving = 0;
      for (std::size_t i = 0; i < windows.size(); ++i) {
        const double t = windows[i].at(step / 1000.0);
        moving += t > 0.0 && t < 1.0 ? 1 : 0;
        EXPECT_TRUE(i == 0 || t == 0.0 || windows[i - 1].at(step / 1000.0) == 1.0);
      }
      EXPECT_LE(moving, 1);
    }
    EXPECT_EQ(windows.back().at(0.7), 1.0);
    EXPECT_EQ(actswap::one_after_another(whole, 1)[0].at(0.4), whole.at(0.4));
  }
  EXPECT_THROW(actswap::one_after_another(Schedule::step({}), 0), actswap::UsageError);
}

}  // namespace
