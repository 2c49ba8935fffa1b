#include <actswap/base/error.h>
#include <actswap/schedule/closed_loop.h>
#include <gtest/gtest.h>

#include <limits>
#include <string>
#include <vector>

namespace {

using actswap::ClosedLoop;
using actswap::ClosedLoopOptions;
using actswap::RampState;

// A ramp from 1 to 3 that must be over at 6; the whole takes 10.
constexpr ClosedLoopOptions kRamp{.begin = 1.0, .end = 3.0, .deadline = 6.0, .bound = 0.5};

TEST(ClosedLoop, IsTheProgressWhereNoCheckIsBeyondTheBound) {
  ClosedLoop loop(kRamp);
  for (int step = 1; step <= 20; ++step) {
    const double progress = 0.25 * step;
    loop.advance(progress);
    EXPECT_EQ(loop.position(), std::min(progress, 3.0));
    EXPECT_EQ(loop.check(0.5), progress < 3.0 ? RampState::moves : RampState::arrived);
  }
}

TEST(ClosedLoop, WaitsGoesBackAndGoesOn) {
  ClosedLoop loop(kRamp);
  loop.advance(1.5);
  EXPECT_EQ(loop.check(0.1), RampState::moves);
  loop.advance(2.0);
  EXPECT_EQ(loop.check(0.6), RampState::waits);
  loop.advance(2.25);
  EXPECT_EQ(loop.position(), 2.0);
  EXPECT_EQ(loop.check(0.6), RampState::steps_back);
  EXPECT_EQ(loop.position(), 1.5);  // where the check was last within
  loop.advance(2.5);
  EXPECT_EQ(loop.position(), 1.5);
  EXPECT_EQ(loop.check(0.6), RampState::waits);  // nowhere to go back to
  EXPECT_EQ(loop.position(), 1.5);
  EXPECT_EQ(loop.check(0.4), RampState::moves);
  loop.advance(3.0);
  EXPECT_EQ(loop.position(), 2.0);
  EXPECT_EQ(loop.check(0.6), RampState::waits);
  EXPECT_EQ(loop.check(0.5), RampState::moves);  // recovered where it stood
  loop.advance(4.0);
  EXPECT_EQ(loop.position(), 3.0);
  EXPECT_EQ(loop.check(9.0), RampState::arrived);
  loop.advance(4.5);
  EXPECT_EQ(loop.position(), 3.0);
}

TEST(ClosedLoop, ArrivesAtTheDeadlineWhateverTheChecksSay) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  for (const double drop : {0.51, 1e9, nan}) {
    ClosedLoop loop(kRamp);
    std::vector<double> positions;
    RampState last = RampState::moves;
    for (int step = 1; step <= 600; ++step) {
      loop.advance(0.01 * step);
      positions.push_back(loop.position());
      if (step % 10 == 0 && step < 600) {
        last = loop.check(drop);
      }
    }
    EXPECT_NEAR(positions[398], 1.0, 0.02) << "it waited at its beginning until 6 - (3 - 1) = 4";
    EXPECT_NEAR(positions[499], 2.0, 1e-9) << "and then went as fast as the ramp does";
    EXPECT_EQ(positions.back(), 3.0);
    EXPECT_EQ(last, RampState::must_go);
  }
}

TEST(ClosedLoop, DoesNotGoBackSoFarThatItCouldNotArrive) {
  ClosedLoop loop(kRamp);
  loop.advance(2.9);
  EXPECT_EQ(loop.check(1.0), RampState::waits);
  loop.advance(5.0);
  EXPECT_DOUBLE_EQ(loop.position(), 2.9);
  EXPECT_EQ(loop.check(1.0), RampState::steps_back);
  EXPECT_DOUBLE_EQ(loop.position(), 2.0);  // 3 - (6 - 5), not 1
  EXPECT_EQ(loop.check(1.0), RampState::must_go);
  loop.advance(5.5);
  EXPECT_DOUBLE_EQ(loop.position(), 2.5);
  loop.advance(6.0);
  EXPECT_EQ(loop.position(), 3.0);
}

TEST(ClosedLoop, BeforeTheRampThereIsNothingToWaitWith) {
  ClosedLoop loop(kRamp);
  loop.advance(0.5);
  EXPECT_EQ(loop.check(1.0), RampState::waits);
  loop.advance(1.0);
  EXPECT_EQ(loop.position(), 1.0);
  loop.advance(1.5);
  EXPECT_EQ(loop.position(), 1.0);
}

TEST(ClosedLoop, RefusesWhatMakesNoSense) {
  const auto message = [](const ClosedLoopOptions& options) {
    try {
      const ClosedLoop loop(options);
    } catch (const actswap::UsageError& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  EXPECT_EQ(message({.begin = -1.0}), "Expected a closed loop with begin >= 0, but got -1");
  EXPECT_EQ(message({.begin = 2.0, .end = 1.0}),
            "Expected a closed loop with end >= begin, but got 1");
  EXPECT_EQ(message({.end = 2.0, .deadline = 1.0}),
            "Expected a closed loop with a deadline no earlier than the ramp's end, but got 1");
  EXPECT_EQ(message({.end = 1.0, .deadline = 2.0, .bound = -0.1}),
            "Expected a closed loop with bound >= 0, but got -0.1");
  EXPECT_EQ(message({}), "");
}

}  // namespace
