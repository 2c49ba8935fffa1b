#include <actswap/base/error.h>
#include <actswap/measure/sensitivity_plan.h>

#include <gtest/gtest.h>

#include <limits>

namespace actswap {
namespace {

struct Known {
  std::string id;
  double loss;
  double gain;
};

struct Setting {
  Plan plan;
  Sensitivity sensitivity;

  explicit Setting(const std::vector<Known>& sites) {
    sensitivity.measure = "accuracy";
    sensitivity.latency_ms = 10.0;
    for (const auto& [id, loss, gain] : sites) {
      PlannedSite planned;
      planned.site.id = id;
      planned.target = resolve("relu");
      planned.reason = "selected";
      plan.sites.push_back(planned);
      SiteSensitivity measured{.id = id, .loss = loss};
      measured.time = SiteGain{.milliseconds = gain};
      sensitivity.sites.push_back(measured);
    }
  }
  std::vector<std::string> swapped(const Plan& made) const {
    std::vector<std::string> ids;
    for (const auto& planned : made.sites) {
      if (planned.target) {
        ids.push_back(planned.site.id);
      }
    }
    return ids;
  }
  std::vector<std::string> within_drop(double most) const {
    return swapped(plan_within_drop(plan, sensitivity, most));
  }
  std::vector<std::string> within_budget(double most) const {
    return swapped(plan_within_budget(plan, sensitivity, most));
  }
};

using Ids = std::vector<std::string>;

Setting some() {
  return Setting({{"a", 0.3, 1.0}, {"b", 0.2, 2.0}, {"c", -0.1, 0.5}, {"d", 4.0, 3.0}});
}

std::string message_of(const std::function<void()>& run) {
  try {
    run();
  } catch (const UsageError& error) {
    return error.what();
  }
  return "";
}

TEST(SensitivityPlan, ThePredictionIsASum) {
  const auto setting = some();
  const auto all = predict(setting.plan, setting.sensitivity);
  EXPECT_NEAR(all.drop, 0.3 + 0.2 + 4.0, 1e-12) << "a gain in accuracy is not set against losses";
  EXPECT_NEAR(*all.latency_ms, 10.0 - 6.5, 1e-12);
  auto plan = setting.plan;
  plan.sites[3].target.reset();
  EXPECT_NEAR(predict(plan, setting.sensitivity).drop, 0.5, 1e-12);
  auto untimed = setting.sensitivity;
  untimed.latency_ms.reset();
  EXPECT_FALSE(predict(plan, untimed).latency_ms);
}

TEST(SensitivityPlan, WithinADrop) {
  const auto setting = some();
  EXPECT_EQ(setting.within_drop(10.0), (Ids{"a", "b", "c", "d"}));
  EXPECT_EQ(setting.within_drop(0.5), (Ids{"a", "b", "c"}));
  EXPECT_EQ(setting.within_drop(0.4), (Ids{"b", "c"})) << "b saves more for what it loses";
  EXPECT_EQ(setting.within_drop(0.0), (Ids{"c"}));
  // What does not fit is passed over, what comes after it may fit.
  EXPECT_EQ(Setting({{"best", 3.0, 9.0}, {"next", 1.0, 1.0}}).within_drop(2.0), (Ids{"next"}));
  EXPECT_EQ(Setting({{"only", 3.0, 9.0}}).within_drop(2.0), Ids{});
  EXPECT_EQ(Setting({{"broken", std::numeric_limits<double>::infinity(), 9.0}}).within_drop(2.0),
            Ids{});
}

TEST(SensitivityPlan, WhatIsKeptSaysWhy) {
  auto setting = some();
  setting.plan.sites[2].target.reset();
  setting.plan.sites[2].reason = "kept by --keep";
  const auto made = plan_within_drop(setting.plan, setting.sensitivity, 0.5);
  EXPECT_EQ(made.sites[0].reason, "selected");
  EXPECT_EQ(made.sites[2].reason, "kept by --keep");
  EXPECT_EQ(made.sites[3].reason,
            "kept: its swap alone loses 4 (accuracy) and saves 3 ms; with the swapped sites "
            "the sum would exceed 0.5");
  EXPECT_EQ(plan_within_budget(setting.plan, setting.sensitivity, 8.0).sites[0].reason,
            "kept: its swap alone loses 0.3 (accuracy) and saves 1 ms; the budget of 8 ms is met "
            "without it");
}

TEST(SensitivityPlan, WithinABudget) {
  const auto setting = some();
  EXPECT_EQ(setting.within_budget(9.6), (Ids{"c"}));
  EXPECT_EQ(setting.within_budget(7.5), (Ids{"b", "c"}));
  EXPECT_EQ(setting.within_budget(7.0), (Ids{"a", "b", "c"}));
  EXPECT_EQ(setting.within_budget(3.5), (Ids{"a", "b", "c", "d"}));
  // What was taken first is not needed any more once a larger one is in.
  EXPECT_EQ(Setting({{"small", 0.1, 1.0}, {"large", 1.0, 5.0}}).within_budget(5.0), (Ids{"large"}));
  // What saves no time does not help.
  EXPECT_EQ(Setting({{"slower", -1.0, -2.0}, {"faster", 1.0, 5.0}}).within_budget(5.0),
            (Ids{"faster"}));
}

TEST(SensitivityPlan, ABudgetThatCannotBeMetSaysWhatCan) {
  const auto setting = some();
  const auto impossible = message_of([&] { setting.within_budget(1.0); });
  EXPECT_NE(impossible.find("got 1 ms"), std::string::npos) << impossible;
  EXPECT_NE(impossible.find("all 4 sites"), std::string::npos) << impossible;
  EXPECT_NE(impossible.find("3.5 ms"), std::string::npos) << impossible;
  EXPECT_NE(message_of([&] { setting.within_budget(10.0); }).find("nothing needs"),
            std::string::npos);
}

TEST(SensitivityPlan, WhatMakesNoSenseIsRefused) {
  auto setting = some();
  EXPECT_THROW(setting.within_drop(-1.0), UsageError);
  EXPECT_THROW(setting.within_drop(std::numeric_limits<double>::quiet_NaN()), UsageError);
  EXPECT_THROW(setting.within_budget(0.0), UsageError);
  setting.sensitivity.sites.pop_back();
  EXPECT_NE(message_of([&] { setting.within_drop(1.0); }).find("'d'"), std::string::npos);
  setting = some();
  setting.sensitivity.latency_ms.reset();
  EXPECT_THROW(setting.within_budget(5.0), UsageError);
}

}  // namespace
}  // namespace actswap
