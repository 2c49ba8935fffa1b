// How long a run will take: of the whole run, and honest where it is not known.
#include <actswap/pipeline/time_left.h>

#include <gtest/gtest.h>

namespace actswap {
namespace {

TEST(TimeLeft, NothingIsKnownAtFirst) {
  TimeLeft time(std::vector<RunPhase>{{"calibrate", "calibrate"}});
  EXPECT_LT(time.seconds_left(0.0), 0.0);
  time.note("calibrate", 0.1, 5.0);
  EXPECT_LT(time.seconds_left(5.0), 0.0);
  EXPECT_EQ(time.share(5.0), 0.0);
  EXPECT_EQ(time.number(), 1U);
}

TEST(TimeLeft, OfAPhaseByItsPaceSinceItsFirstNote) {
  TimeLeft time(std::vector<RunPhase>{{"retarget", "train"}});
  time.note("retarget", 0.1, 100.0);  // what came before was no step
  time.note("retarget", 0.2, 110.0);
  EXPECT_DOUBLE_EQ(time.seconds_left(110.0), 80.0);
  EXPECT_DOUBLE_EQ(time.seconds_left(115.0), 75.0);
  EXPECT_DOUBLE_EQ(time.seconds_left(500.0), 0.0);
  EXPECT_NEAR(time.share(110.0), 10.0 / 90.0, 1e-12);
  EXPECT_FALSE(time.is_longer());
}

TEST(TimeLeft, TheControlTakesAsLongAsTheTraining) {
  TimeLeft time(std::vector<RunPhase>{{"retarget", "train"}, {"control", "train"}});
  time.note("retarget", 0.0, 0.0);
  time.note("retarget", 0.5, 50.0);
  EXPECT_DOUBLE_EQ(time.seconds_left(50.0), 150.0);
  EXPECT_FALSE(time.is_longer());
  time.note("retarget", 1.0, 100.0);
  time.note("control", 0.0, 110.0);
  EXPECT_EQ(time.number(), 2U);
  EXPECT_DOUBLE_EQ(time.seconds_left(110.0), 100.0);
}

// The time of a kind that has not been seen is not made up.
TEST(TimeLeft, SaysWhereItWillTakeLonger) {
  TimeLeft time(std::vector<RunPhase>{{"calibrate", "calibrate"}, {"retarget", "train"}});
  time.note("calibrate", 0.0, 0.0);
  time.note("calibrate", 0.5, 10.0);
  EXPECT_DOUBLE_EQ(time.seconds_left(10.0), 10.0);
  EXPECT_TRUE(time.is_longer());
}

TEST(TimeLeft, SeedsRepeatTheFirst) {
  TimeLeft time(std::vector<RunPhase>{{"calibrate", "calibrate"},
                                      {"retarget, seed 0", "train"},
                                      {"calibrate", "calibrate"},
                                      {"retarget, seed 1", "train"}});
  time.note("calibrate", 0.0, 0.0);
  time.note("calibrate", 1.0, 10.0);
  time.note("retarget, seed 0", 0.0, 10.0);
  time.note("retarget, seed 0", 0.5, 30.0);
  EXPECT_DOUBLE_EQ(time.seconds_left(30.0), 20.0 + 10.0 + 40.0);
  time.note("retarget, seed 0", 1.0, 50.0);
  time.note("calibrate", 0.5, 55.0);
  EXPECT_EQ(time.number(), 3U);
  EXPECT_DOUBLE_EQ(time.seconds_left(55.0), 10.0 + 40.0);
}

TEST(TimeLeft, APhaseThatIsPassedOverOrNotListed) {
  TimeLeft time(std::vector<RunPhase>{
      {"calibrate", "calibrate"}, {"fit together", "fit"}, {"retarget", "train"}});
  time.note("calibrate", 1.0, 1.0);
  time.note("retarget", 0.0, 2.0);
  EXPECT_EQ(time.number(), 3U);
  EXPECT_FALSE(time.is_longer());
  time.note("something else", 0.0, 3.0);
  time.note("something else", 0.5, 4.0);
  EXPECT_EQ(time.number(), 0U);
  EXPECT_DOUBLE_EQ(time.seconds_left(4.0), 1.0);
}

}  // namespace
}  // namespace actswap
