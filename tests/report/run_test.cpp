#include <actswap/report/run.h>

#include <gtest/gtest.h>

#include <limits>

#include "models.h"

namespace actswap {
namespace {

actswap::Run trained_run() {
  actswap::Run run;
  run.model_path = "mish.pt";
  run.output = "relu.pt";
  run.plan = plan(load(test_model("scripted_functional.pt")), {.keep = {"/forward/0"}});
  run.parameters = 96314;
  run.trained = true;
  run.schedule = "linear from 0 to 0.3 epochs";
  run.epochs = {{.epoch = 1, .step = 10, .t = 1.0, .mean_loss = 0.5}};
  const double none = std::numeric_limits<double>::quiet_NaN();
  run.original = Evaluation{"accuracy", 91.206, 0.25, 100, {90.0, 92.5, none}};
  run.swap_alone = Evaluation{"accuracy", 82.33, 0.6, 100, {}};
  run.retargeted = Evaluation{"accuracy", 91.19, 0.26, 100, {90.5, 91.0, none}};
  run.control = Evaluation{"accuracy", 91.3, 0.24, 100, {}};
  run.verification.verified = true;
  run.verification.max_rel_diff = 2.5e-7;
  run.latency = {{.median_ms = 4.0}, {.median_ms = 2.0, .ratio_to_first = 0.5}};
  return run;
}

TEST(Report, SummaryTable) {
  EXPECT_EQ(summary_table(trained_run()),
            "sites swapped                            5 of 6\n"
            "parameters                               96314\n"
            "accuracy, original                       91.21 %\n"
            "accuracy, after the swap alone           82.33 %\n"
            "accuracy, after training                 91.19 %\n"
            "accuracy, control (original trained on)  91.30 %\n"
            "largest fall in a class                  class 1: 92.50 -> 91.00 %\n"
            "latency, original                        4.000 ms\n"
            "latency, exported                        2.000 ms (0.50 of the original's)\n"
            "verified                                 yes, largest relative difference 2.5e-07\n"
            "written                                  relu.pt\n");
}

TEST(Report, JsonHasWhatTheCommandPromises) {
  const auto json = nlohmann::json::parse(to_json(trained_run()));
  EXPECT_EQ(json["schema"], 1);
  EXPECT_EQ(json["sites_swapped"], 5);
  EXPECT_EQ(json["verified"], true);
  EXPECT_TRUE(json["max_abs_diff"].is_number());
  EXPECT_EQ(json["metric"], "accuracy");
  EXPECT_EQ(json["original"], 91.206);
  EXPECT_EQ(json["retargeted"], 91.19);
  EXPECT_TRUE(json.contains("run_dir"));
  EXPECT_TRUE(json["evaluations"]["original"]["per_class"][2].is_null()) << "no example, no figure";
  EXPECT_EQ(json["sites"][0]["selected"], false);
  EXPECT_EQ(json["sites"][0]["reason"], "kept by --keep");
  EXPECT_EQ(json["sites"][1]["target"], "relu");
}

TEST(Report, WithoutDataThereIsNoMetric) {
  actswap::Run run;  // not testing::Test::Run
  run.verification.reason = "no probe inputs";
  const auto json = nlohmann::json::parse(to_json(run));
  EXPECT_TRUE(json["original"].is_null());
  EXPECT_FALSE(json.contains("latency"));
  EXPECT_EQ(summary_table(run),
            "sites swapped  0 of 0\n"
            "parameters     0\n"
            "verified       no: no probe inputs\n"
            "written        \n");
}

TEST(Report, InspectionHasCostsWhereTheyWereMeasured) {
  const auto model = load(test_model("scripted_module.pt"));
  const auto made = plan(model, {});
  const auto without = nlohmann::json::parse(inspection_json(model, made));
  EXPECT_FALSE(without["sites"][0].contains("share"));
  EXPECT_EQ(without["model"]["kind"], "scripted");
  EXPECT_EQ(without["model"]["sha256"], model.sha256);
  const auto costs = measure_sites(model, recorded("scripted_module").inputs, 3);
  const auto json = nlohmann::json::parse(inspection_json(model, made, costs));
  double share = 0.0;
  for (const auto& site : json["sites"]) {
    EXPECT_EQ(site["shape"], (std::vector<int>{2, 8, 8, 8}));
    EXPECT_EQ(site["dtype"], "Float");
    EXPECT_EQ(site["calls"], 1);
    EXPECT_GT(site["milliseconds"].get<double>(), 0.0);
    share += site["share"].get<double>();
  }
  EXPECT_GT(share, 0.0);
  EXPECT_LT(share, 1.0);
}

}  // namespace
}  // namespace actswap
