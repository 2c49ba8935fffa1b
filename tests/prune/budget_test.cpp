#include <actswap/base/error.h>
#include <actswap/prune/budget.h>

#include <gtest/gtest.h>

namespace actswap {
namespace {

GroupCurve curve(std::int64_t units, double each) {
  GroupCurve group = {.units = units};
  for (std::int64_t i = 0; i <= units; ++i) {
    group.loss.push_back(each * static_cast<double>(i * i));
  }
  return group;
}

// A perceptron_sizes 10 - 8 - 6 - 4: weights and biases.
SizeModel perceptron_sizes() {
  const auto inner = [](std::size_t group) {
    return SizedTensor::Dimension{.units = {{group, 1}}};
  };
  const auto fixed = [](double size) { return SizedTensor::Dimension{.fixed = size}; };
  return {.tensors = {{.dimensions = {inner(0), fixed(10)}, .multiplications = 1.0},
                      {.dimensions = {inner(0)}},
                      {.dimensions = {inner(1), inner(0)}, .multiplications = 1.0},
                      {.dimensions = {inner(1)}},
                      {.dimensions = {fixed(4), inner(1)}, .multiplications = 1.0}},
          .other_parameters = 4.0};
}

TEST(SizeModel, FollowsTheUnitsOfBothSidesOfALayer) {
  const auto model = perceptron_sizes();
  EXPECT_EQ(model.parameters({8, 6}), 80 + 8 + 48 + 6 + 24 + 4);
  EXPECT_EQ(model.prunable_multiplications({4, 3}), 40 + 12 + 12);
}

// A concatenation: some columns belong to a group, some to another, some to none.
TEST(SizeModel, ADimensionMayHoldUnitsOfSeveralGroups) {
  const SizedTensor tensor = {
      .dimensions = {{.fixed = 2, .units = {{0, 9}, {1, 4}}}, {.fixed = 5}}};
  EXPECT_EQ(tensor.elements({3, 2}), (2 + 27 + 8) * 5);
}

TEST(Budget, IsReadAsPeopleWriteIt) {
  EXPECT_EQ(PruneBudget::parse("0.6x").kind, PruneBudget::Kind::latency);
  EXPECT_EQ(PruneBudget::parse("0.6x").value, 0.6);
  EXPECT_EQ(PruneBudget::parse("2M").value, 2e6);
  EXPECT_EQ(PruneBudget::parse("500k").value, 5e5);
  EXPECT_EQ(PruneBudget::parse("1500000").kind, PruneBudget::Kind::parameters);
  for (const auto* wrong : {"", "x", "2 M", "1x", "0x", "-1x", "0", "nan", "1e999", "2Mx", "abc"}) {
    EXPECT_THROW(PruneBudget::parse(wrong), UsageError) << wrong;
  }
}

TEST(Budget, AShareOfOneOrNothingIsRefused) {
  for (const double share : {0.0, 1.0, -0.1, 2.0}) {
    EXPECT_THROW((PruneBudget{.value = share}).validate(), UsageError) << share;
  }
}

double total(const std::vector<std::int64_t>& kept) {
  return static_cast<double>(kept[0] + kept[1]);
}

TEST(ChooseCounts, EachGroupGivesWhatItCanSpare) {
  const auto kept = choose_counts({curve(10, 1e-4), curve(10, 1e-2)}, total, 12.0, 1);
  EXPECT_EQ(kept, (std::vector<std::int64_t>{2, 10}));
}

// The first group's units save ten times as much.
TEST(ChooseCounts, GoesByTheLossForWhatIsSaved) {
  const auto size = [](const std::vector<std::int64_t>& kept) {
    return static_cast<double>(10 * kept[0] + kept[1]);
  };
  const auto kept = choose_counts({curve(10, 1e-3), curve(10, 1e-3)}, size, 60.0, 1);
  EXPECT_EQ(kept[1], 10);
  EXPECT_EQ(kept[0], 5);
}

TEST(ChooseCounts, DeadUnitsGoEvenIfTheBudgetIsMet) {
  auto group = curve(10, 1e-3);
  group.dead = 4;
  EXPECT_EQ(choose_counts({group, curve(10, 1e-3)}, total, 100.0, 1),
            (std::vector<std::int64_t>{6, 10}));
  EXPECT_EQ(choose_counts({group, curve(10, 1e-3)}, total, 100.0, 8),
            (std::vector<std::int64_t>{8, 10}));
}

TEST(ChooseCounts, KeepsMultiples) {
  const auto kept = choose_counts({curve(20, 1e-5), curve(30, 1e-5)}, total, 17.0, 8);
  EXPECT_EQ(kept, (std::vector<std::int64_t>{8, 8}));
}

TEST(ChooseCounts, MultiplesFollowTheWidthByDefault) {
  EXPECT_EQ(choose_counts({curve(40, 1e-5), curve(20, 1e-5)}, total, 33.0, 0),
            (std::vector<std::int64_t>{24, 8}));
  EXPECT_EQ(total(choose_counts({curve(12, 1e-5), curve(12, 1e-4)}, total, 17.0, 0)), 17.0);
}

// The 8 units that the second group gives save more than was needed: the first gets its own back.
TEST(ChooseCounts, GivesBackWhatTheBudgetHasRoomFor) {
  const auto size = [](const std::vector<std::int64_t>& kept) {
    return static_cast<double>(kept[0] + 8 * kept[1]);
  };
  GroupCurve cheap = curve(32, 1e-6);
  GroupCurve dear = {.units = 16, .loss = std::vector<double>(17, 0.5)};
  dear.loss[0] = 0.0;
  EXPECT_EQ(choose_counts({cheap, dear}, size, 96.0, 8), (std::vector<std::int64_t>{32, 8}));
}

TEST(ChooseCounts, AUnitOrAMultipleOfEachGroupStays) {
  EXPECT_EQ(choose_counts({curve(20, 1e-5), curve(5, 1e-5)}, total, 0.0, 8),
            (std::vector<std::int64_t>{8, 5}));
  EXPECT_EQ(choose_counts({curve(20, 1e-5), curve(5, 1e-5)}, total, 0.0, 1),
            (std::vector<std::int64_t>{1, 1}));
}

TEST(ChooseCounts, AProtectedGroupStays) {
  auto group = curve(10, 0.0);
  group.least = 10;
  EXPECT_EQ(choose_counts({group, curve(10, 1e-2)}, total, 15.0, 1),
            (std::vector<std::int64_t>{10, 5}));
}

// One group could save all by losing all of its variance: the other pays first.
TEST(ChooseCounts, DoesNotEmptyAGroupThatHasLostNearlyAll) {
  GroupCurve cliff = {.units = 3, .loss = {0.0, 0.0, 0.999999}};
  cliff.loss.push_back(1.0);
  const auto size = [](const std::vector<std::int64_t>& kept) {
    return static_cast<double>(8 * kept[0] + kept[1]);
  };
  EXPECT_EQ(choose_counts({cliff, curve(10, 1e-2)}, size, 20.0, 1),
            (std::vector<std::int64_t>{2, 4}));
}

}  // namespace
}  // namespace actswap
