#include <actswap/report/function_totals.h>
#include <actswap/report/latency.h>
#include <actswap/report/plan_table.h>
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
  run.control = Evaluation{"accuracy", 91.3, 0.24, 100, {90.0, 91.5, none}};
  run.original->example_values = torch::tensor({100.0F, 100.0F, 0.0F, 100.0F});
  run.retargeted->example_values = torch::tensor({100.0F, 0.0F, 0.0F, 100.0F});
  run.control->example_values = torch::tensor({100.0F, 100.0F, 100.0F, 100.0F});
  for (auto* evaluation : {&run.original, &run.retargeted, &run.control}) {
    (*evaluation)->example_losses = (*evaluation)->example_values / 50.0;
  }
  run.agreement = Agreement{.relative_error = 0.02, .mean_cosine = 0.99, .same_prediction = 97.5};
  run.control_agreement = Agreement{.same_prediction = 98.0};
  run.verification.verified = true;
  run.verification.max_rel_diff = 2.5e-7;
  run.recipe = "ramp, trained on distil";
  run.latency = {{.median_ms = 4.0, .minimum_ms = 3.5, .interval_ms = {3.9, 4.2}},
                 {.median_ms = 2.0,
                  .minimum_ms = 1.75,
                  .interval_ms = {1.9, 2.1},
                  .ratio_to_first = 0.5,
                  .ratio_interval = {0.48, 0.53}}};
  return run;
}

// scipy 1.17.1: stats.t.interval(0.95, 3, ...) of the differences [0, -100, 0, 0] and
// [0, -100, -100, 0].
TEST(Report, SummaryTable) {
  EXPECT_EQ(summary_table(trained_run()),
            "sites swapped                            5 of 6\n"
            "parameters                               96314\n"
            "recipe                                   ramp, trained on distil\n"
            "accuracy, original                       91.21 %\n"
            "accuracy, after the swap alone           82.33 %\n"
            "accuracy, after training                 91.19 %\n"
            "accuracy, control (original trained on)  91.30 %\n"
            "against the original                     -25.00 ± 79.56, paired over 4 examples\n"
            "against the control                      -50.00 ± 91.87, paired over 4 examples\n"
            "largest fall in a class                  class 1: 92.50 -> 91.00 %\n"
            "the same against the control             class 1: 91.50 -> 91.00 %\n"
            "same prediction as the original          97.50 % (control 98.00 %)\n"
            "latency, original                        4.000 ms (3.900 to 4.200), minimum 3.500 ms\n"
            "latency, exported                        2.000 ms (1.900 to 2.100), minimum 1.750 ms\n"
            "latency, ratio                           0.50 (0.48 to 0.53)\n"
            "verified                                 yes, largest relative difference 2.5e-07\n"
            "self-test                                none\n"
            "written                                  relu.pt\n");
}

// The two figures may well say 1.01 where the median of the pairs says 0.99.
TEST(Report, NoDifferenceIsSaidWhereNoneIsSeen) {
  Latency latency{.ratio_to_first = 0.99, .ratio_interval = {0.95, 1.02}};
  EXPECT_EQ(ratio_text(latency), "no clear difference (0.95 to 1.02)");
  latency.ratio_interval = {1.005, 1.02};
  EXPECT_EQ(ratio_text(latency), "0.99 (1.00 to 1.02)");
  latency.doubt = "others were busy";
  EXPECT_EQ(ratio_text(latency), "cannot be trusted (1.00 to 1.02): others were busy");
}

TEST(Report, JsonHasWhatTheCommandPromises) {
  const auto json = nlohmann::json::parse(to_json(trained_run()));
  EXPECT_EQ(json["recipe"], "ramp, trained on distil");
  EXPECT_EQ(json["training"]["learning_rate_from"], "request");
  EXPECT_EQ(json["latency"]["ratio"], 0.5);
  EXPECT_EQ(json["latency"]["exported"]["minimum_ms"], 1.75);
  EXPECT_EQ(json["latency"]["exported"]["ratio_interval"], nlohmann::json({0.48, 0.53}));
  EXPECT_EQ(json["latency"]["original"]["doubt"], "");
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

TEST(Report, ClaimsAreSetAgainstOriginalAndControl) {
  const auto json = nlohmann::json::parse(to_json(trained_run()));
  EXPECT_EQ(json["agreement"]["retargeted"]["same_prediction"], 97.5);
  EXPECT_EQ(json["agreement"]["retargeted"]["relative_error"], 0.02);
  EXPECT_EQ(json["agreement"]["control"]["same_prediction"], 98.0);
  const auto& original = json["comparisons"]["original"];
  EXPECT_EQ(original["examples"]["difference"], -25.0);
  EXPECT_NEAR(original["examples"]["half_width"], 79.56115763209269, 1e-9);
  EXPECT_EQ(original["examples"]["count"], 4);
  EXPECT_EQ(original["examples"]["distinct"], false);
  EXPECT_EQ(original["mean_loss"]["difference"], -0.5);
  EXPECT_EQ(original["worst_class"],
            nlohmann::json({{"class", 1}, {"before", 92.5}, {"after", 91.0}}));
  EXPECT_EQ(json["comparisons"]["control"]["worst_class"]["before"], 91.5);
  EXPECT_FALSE(original.contains("seeds"));
  EXPECT_FALSE(json.contains("seeds"));
}

TEST(Report, DifferencesOverSeeds) {
  auto run = trained_run();
  // scipy 1.17.1, as above: differences to 91.206 and to the controls.
  const std::pair<double, double> values[] = {{91.19, 91.3}, {91.25, 91.1}, {91.1, 91.2}};
  for (const auto& [ours, control] : values) {
    SeedResult result{.seed = 7 + run.seeds.size()};
    result.retargeted.evaluation = Evaluation{"accuracy", ours};
    result.control = Judgement{Evaluation{"accuracy", control}};
    run.seeds.push_back(result);
  }
  const auto json = nlohmann::json::parse(to_json(run));
  ASSERT_EQ(json["seeds"].size(), 3U);
  EXPECT_EQ(json["seeds"][2]["seed"], 9);
  EXPECT_EQ(json["seeds"][1]["retargeted"]["value"], 91.25);
  EXPECT_EQ(json["seeds"][1]["control"]["value"], 91.1);
  EXPECT_NEAR(json["comparisons"]["original"]["seeds"]["difference"], -0.026000000000005723, 1e-9);
  EXPECT_NEAR(json["comparisons"]["original"]["seeds"]["half_width"], 0.18754828438128038, 1e-9);
  EXPECT_NEAR(json["comparisons"]["control"]["seeds"]["difference"], -0.020000000000000757, 1e-9);
  EXPECT_NEAR(json["comparisons"]["control"]["seeds"]["half_width"], 0.36593633559597694, 1e-9);
  const auto text = summary_table(run);
  EXPECT_NE(text.find("against the control, over seeds          -0.02 ± 0.37, 3 seeds\n"),
            std::string::npos)
      << text;
}

TEST(Report, WithoutLabelsTheOutputsAreCompared) {
  actswap::Run run;
  run.agreement = Agreement{.relative_error = 0.0123, .mean_cosine = 0.98765};
  EXPECT_NE(summary_table(run).find("cosine with the original's outputs  0.98765\n"
                                    "relative error of the outputs       0.0123\n"),
            std::string::npos)
      << summary_table(run);
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
            "self-test      none\n"
            "written        \n");
}

TEST(Report, InspectionHasCostsWhereTheyWereMeasured) {
  const auto model = load(test_model("scripted_module.pt"));
  const auto made = plan(model, {});
  const auto without = nlohmann::json::parse(inspection_json(model, made));
  EXPECT_FALSE(without["sites"][0].contains("share"));
  EXPECT_EQ(without["model"]["kind"], "scripted");
  EXPECT_EQ(without["model"]["sha256"], model.sha256());
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

TEST(Report, FunctionsAreSummedUp) {
  const auto made = plan(load(test_model("scripted_module.pt")),
                         {.keep = {"cells.0*"}, .rules = {{"stem*", "relu6"}}});
  std::map<std::string, SiteCost> costs;
  costs["stem.2/forward/0"] = {.calls = 1, .milliseconds = 2.0, .share = 0.25};
  costs["cells.0.act/forward/0"] = {.calls = 3, .milliseconds = 1.0, .share = 0.125};
  const auto totals = function_totals(made, costs);
  ASSERT_EQ(totals.size(), 1U);
  EXPECT_EQ(totals[0].function, "mish");
  EXPECT_EQ(totals[0].sites, 3U);
  EXPECT_EQ(totals[0].swapped, 2U);
  EXPECT_EQ(totals[0].targets, (std::map<std::string, std::size_t>{{"relu", 1}, {"relu6", 1}}));
  EXPECT_EQ(totals[0].calls, 4);
  EXPECT_EQ(totals[0].milliseconds, 3.0);
  EXPECT_EQ(totals[0].share, 0.375);
  const auto model = load(test_model("scripted_module.pt"));
  EXPECT_NE(plan_table(model, made, costs).find(" 3.000   37.5 %  relu (1), relu6 (1)\n"),
            std::string::npos)
      << plan_table(model, made, costs);
  const auto json =
      nlohmann::json::parse(inspection_json(model, made, costs)).at("functions").at(0);
  EXPECT_EQ(json.at("milliseconds"), 3.0);
  EXPECT_EQ(json.at("targets"), nlohmann::json({{"relu", 1}, {"relu6", 1}}));
}

TEST(Report, TheFunctionThatCostsMostStandsFirst) {
  const auto model = load(test_model("all_modules.pt"));
  const auto made = plan(model, {});
  std::map<std::string, SiteCost> costs;
  for (const auto& planned : made.sites) {
    costs[planned.site.id].milliseconds = planned.site.activation.to_string() == "tanh" ? 2.0 : 1.0;
  }
  EXPECT_EQ(function_totals(made, costs).front().function, "tanh");
}

}  // namespace
}  // namespace actswap
