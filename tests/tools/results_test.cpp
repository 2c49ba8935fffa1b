// What inspect, eval, bench and verify print: results on stdout, nothing else there.
#include "scratch.h"

#include <actswap/base/sha256.h>

#include <nlohmann/json.hpp>

#include <cmath>
#include <regex>

namespace tool_test {
namespace {

using Json = nlohmann::json;

class Inspect : public InScratch {};
class Eval : public InScratch {};
class Bench : public InScratch {};
class Verify : public InScratch {};

TEST_F(Inspect, JsonDescribesModelAndSites) {
  const auto model = model_file("scripted_module.pt");
  const auto outcome =
      run_here({"inspect", model, "--json", "--keep", "cells.0*", "--site", "stem*=hard_mish"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(outcome.err, "");
  const auto json = Json::parse(outcome.out);
  EXPECT_EQ(json.at("schema"), 1);
  const auto& about = json.at("model");
  EXPECT_EQ(about.at("path"), model);
  EXPECT_EQ(about.at("sha256"), actswap::file_sha256(model));
  EXPECT_EQ(about.at("kind"), "scripted");
  EXPECT_EQ(about.at("methods"), Json({"forward"}));
  EXPECT_EQ(about.at("parameters"), 3 * 8 * 9 + 8 + 16 + 2 * (8 * 8 * 9 + 8 + 16) + 8 * 4 + 4);
  const auto& sites = json.at("sites");
  ASSERT_EQ(sites.size(), 3U);
  const char* modules[] = {"stem.2", "cells.0.act", "cells.1.act"};
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(sites[i].at("id"), std::string(modules[i]) + "/forward/0");
    EXPECT_EQ(sites[i].at("module"), modules[i]);
    EXPECT_EQ(sites[i].at("method"), "forward");
    EXPECT_EQ(sites[i].at("activation"), "mish");
    EXPECT_EQ(sites[i].at("params"), Json::object());
    EXPECT_EQ(sites[i].at("form"), "module");
    EXPECT_EQ(sites[i].at("in_place"), false);
  }
  EXPECT_EQ(sites[0].at("selected"), true);
  EXPECT_EQ(sites[0].at("target"), "hard_mish");
  EXPECT_EQ(sites[0].at("reason"), "by --site stem*");
  EXPECT_EQ(sites[1].at("selected"), false);
  EXPECT_EQ(sites[1].at("target"), nullptr);
  EXPECT_EQ(sites[1].at("reason"), "kept by --keep");
  EXPECT_EQ(sites[2].at("selected"), true);
  EXPECT_EQ(sites[2].at("target"), "relu");
}

TEST_F(Inspect, WithAnInputItSaysWhatEachSiteCosts) {
  const auto model = model_file("scripted_module.pt");
  const auto outcome = run_here({"inspect", model, "--input", "2x3x8x8", "--json"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(outcome.err, "");
  const auto sites = Json::parse(outcome.out).at("sites");
  ASSERT_EQ(sites.size(), 3U);
  double shares = 0.0;
  for (const auto& site : sites) {
    EXPECT_EQ(site.at("shape"), Json({2, 8, 8, 8}));
    EXPECT_EQ(site.at("calls"), 1);
    EXPECT_GT(site.at("milliseconds"), 0.0);
    EXPECT_GT(site.at("share"), 0.0);
    shares += site.at("share").get<double>();
  }
  EXPECT_LT(shares, 1.0);
  const auto latency = Json::parse(outcome.out).at("latency");
  EXPECT_GT(latency.at("minimum_ms"), 0.0);
  EXPECT_LE(latency.at("minimum_ms"), latency.at("interval_ms").at(0));
}

TEST_F(Inspect, WithAnInputTheTableHasTimes) {
  const auto model = model_file("scripted_module.pt");
  const auto outcome = run_here({"inspect", model, "--input", "2x3x8x8"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  const auto lines = lines_of(outcome.out);
  EXPECT_TRUE(std::regex_match(
      lines[1],
      std::regex("a forward takes [0-9.]+ ms \\([0-9.]+ to [0-9.]+\\), minimum [0-9.]+ ms")))
      << lines[1];
  EXPECT_TRUE(std::regex_match(
      lines.back(),
      std::regex(
          "cells\\.1\\.act/forward/0 +mish +module +relu +2x8x8x8 +[0-9.]+ +[0-9.]+ % +selected")))
      << lines.back();
}

TEST_F(Inspect, TableHasALineForEachSite) {
  const auto outcome = run_here({"inspect", model_file("traced_train_free.pt")});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(outcome.err, "");
  EXPECT_TRUE(contains(outcome.out, "traced model, 531 parameters, 2 sites, 2 would be swapped"));
  EXPECT_TRUE(contains(outcome.out, "batch norm or dropout is fixed in the graph"));
  const auto lines = lines_of(outcome.out);
  // The model, its mode; functions with all of them together; sites.
  ASSERT_EQ(lines.size(), 11U) << outcome.out;
  EXPECT_TRUE(std::regex_match(lines[4], std::regex("mish +1 +1  relu"))) << lines[4];
  EXPECT_TRUE(std::regex_match(lines[6], std::regex("all +2 +2  relu"))) << lines[6];
  for (const std::size_t i : {9U, 10U}) {
    EXPECT_TRUE(contains(lines[i], i == 9 ? " mish " : " silu "));
    EXPECT_TRUE(contains(lines[i], " relu "));
    EXPECT_TRUE(contains(lines[i], "selected"));
  }
}

// Nothing is skipped in silence.
TEST_F(Inspect, ASiteThatCannotBeReplacedSaysWhy) {
  torch::jit::Module module("__torch__.steep");
  module.register_attribute("training", c10::BoolType::get(), false);
  module.register_attribute("slope", c10::FloatType::get(), 0.1);
  module.define(
      "def forward(self, x):\n"
      "  return torch.leaky_relu(torch.silu(x), self.slope)\n"
      "def steepen(self) -> None:\n"
      "  self.slope = 2.0 * self.slope\n");
  module.save(path("steep.pt"));
  const auto outcome = run_here({"inspect", "steep.pt", "--json"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  const auto sites = Json::parse(outcome.out).at("sites");
  ASSERT_EQ(sites.size(), 2U);
  EXPECT_EQ(sites[0].at("activation"), "swish");
  EXPECT_EQ(sites[0].at("params"), Json({{"beta", 1.0}}));
  EXPECT_EQ(sites[0].at("form"), "op");
  EXPECT_EQ(sites[1].at("activation"), "leaky_relu");
  EXPECT_EQ(sites[1].at("selected"), false);
  EXPECT_TRUE(contains(sites[1].at("reason"), "cannot be replaced"));
  const auto converted = run_here({"convert", "steep.pt", "-o", "out.pt", "--input", "2x3"});
  EXPECT_EQ(converted.code, 0) << converted.err;
  const auto warnings = lines_with(converted.err, "warning: ");
  ASSERT_EQ(warnings.size(), 1U) << converted.err;
  EXPECT_TRUE(contains(warnings[0], sites[1].at("id")));
  EXPECT_TRUE(contains(warnings[0], "not a constant"));
}

// 64 images, every fourth with another class than the model's.
TEST_F(Eval, AccuracyAsJsonAndAsALine) {
  balanced_model().save(path("model.pt"));
  auto [images, classes] = images_with_classes(64);
  ASSERT_EQ(classes.max().item<std::int64_t>() - classes.min().item<std::int64_t>(), 3);
  const auto wrong = torch::arange(0, 64, 4);
  classes.index_put_({wrong}, (classes.index({wrong}) + 1) % 4);
  write_tensors(path("data.pt"), {{"y", classes}, {"x", images}});  // by name, not by order
  const auto outcome =
      run_here({"eval", "model.pt", "--data", "data.pt", "--json", "--batch", "10"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(outcome.err,
            "info: --data: 64 examples; input 'x' 3 x 8 x 8 (float32, not normalised); target 'y' "
            "(int64)\n");
  const auto json = Json::parse(outcome.out);
  EXPECT_EQ(json.at("schema"), 1);
  EXPECT_EQ(json.at("metric"), "accuracy");
  EXPECT_EQ(json.at("value"), 75.0);
  EXPECT_EQ(json.at("examples"), 64);
  EXPECT_GT(json.at("mean_loss"), 0.0);
  ASSERT_EQ(json.at("per_class").size(), 4U);
  double hits = 0.0;
  for (std::int64_t i = 0; i < 4; ++i) {
    const auto count = (classes == i).sum().item<double>();
    const auto& share = json["per_class"][static_cast<std::size_t>(i)];
    EXPECT_EQ(share.is_null(), count == 0.0);
    hits += count > 0.0 ? share.get<double>() / 100.0 * count : 0.0;
  }
  EXPECT_NEAR(hits, 48.0, 1e-6);
  const auto text = run_here({"eval", "model.pt", "--data", "data.pt", "--limit", "8"});
  EXPECT_EQ(text.code, 0);
  EXPECT_EQ(text.out.rfind("accuracy 75, mean loss ", 0), 0U) << text.out;
  EXPECT_TRUE(contains(text.out, ", 8 examples\n"));
}

TEST_F(Eval, MeanSquaredErrorOfTwoInputs) {
  const auto x = torch::zeros({6, 4});
  const auto y = torch::zeros({6, 3});
  auto module = torch::jit::load(model_file("two_inputs.pt"));
  const torch::NoGradGuard without_gradients;
  const auto output = module({x, y}).toTensor();
  write_tensors(path("data.pt"), {{"a", x}, {"b", y}, {"wanted", output + 2.0}});
  const auto outcome = run_here({"eval", model_file("two_inputs.pt"), "--data", "data.pt",
                                 "--inputs", "a,b", "--target", "wanted", "--json"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  const auto json = Json::parse(outcome.out);
  EXPECT_EQ(json.at("metric"), "mse");
  EXPECT_NEAR(json.at("value"), 4.0, 1e-5);
}

TEST_F(Bench, EverySettingForEveryModel) {
  const Words models = {model_file("scripted_module.pt"), model_file("traced_train_free.pt")};
  const auto outcome = run_here({"bench", models[0], models[1], "--input", "2x3x8x8", "--rounds",
                                 "5", "--warmup", "2", "--json"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(outcome.err, "");
  const auto json = Json::parse(outcome.out);
  EXPECT_EQ(json.at("schema"), 1);
  const auto& results = json.at("results");
  ASSERT_EQ(results.size(), 6U);
  const char* settings[] = {"plain", "frozen", "optimized"};
  for (std::size_t i = 0; i < 6; ++i) {
    const auto& result = results[i];
    EXPECT_EQ(result.at("model"), models[i % 2]);
    EXPECT_EQ(result.at("setting"), settings[i / 2]);
    EXPECT_GT(result.at("minimum_ms"), 0.0);
    EXPECT_GE(result.at("median_ms"), result.at("minimum_ms"));
    EXPECT_EQ(result.at("interval_ms").size(), 2U);
    EXPECT_EQ(result.at("ratio_interval").size(), 2U);
    EXPECT_NE(result.at("doubt"), "") << "five rounds are too few";
    if (i % 2 == 0) {
      EXPECT_EQ(result.at("ratio_to_first"), 1.0);
    }
  }
  const auto text = run_here({"bench", models[0], "--input", "2x3x8x8", "--rounds", "1"});
  EXPECT_EQ(text.code, 0) << text.err;
  EXPECT_EQ(text.err, "");
  const auto lines = lines_of(text.out);
  ASSERT_EQ(lines.size(), 7U) << text.out;
  EXPECT_TRUE(contains(lines[0], "median (95 % interval), minimum"));
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(lines[2 * i + 1].rfind(settings[i], 0), 0U) << lines[2 * i + 1];
    EXPECT_TRUE(contains(lines[2 * i + 1], models[0]));
    EXPECT_TRUE(contains(lines[2 * i + 2], "cannot be trusted: there are too few rounds"));
  }
}

TEST_F(Verify, ReplaysTheSelfTest) {
  ASSERT_EQ(run_here({"convert", model_file("scripted_module.pt"), "-o", "out.pt", "-q"}).code, 0);
  const auto good = run_here({"verify", "out.pt", "--json"});
  EXPECT_EQ(good.code, 0) << good.err;
  EXPECT_EQ(good.err, "");
  const auto json = Json::parse(good.out);
  EXPECT_EQ(json.at("schema"), 1);
  EXPECT_EQ(json.at("verified"), true);
  EXPECT_LE(json.at("max_abs_diff"), 1e-5);
  EXPECT_LE(json.at("max_rel_diff"), 1e-5);
  EXPECT_EQ(json.at("outputs"), 1);
  EXPECT_EQ(json.at("reason"), "");

  // A weight that changed afterwards.
  torch::jit::ExtraFilesMap extra = {{"actswap/self_test.pt", ""}, {"actswap/provenance.json", ""}};
  auto module = torch::jit::load(path("out.pt"), c10::nullopt, extra);
  ASSERT_FALSE(extra["actswap/self_test.pt"].empty());
  module.attr("head").toModule().attr("bias").toTensor().detach().add_(0.01);
  module.save(path("changed.pt"), extra);
  const auto changed = run_here({"verify", "changed.pt", "--json"});
  EXPECT_EQ(changed.code, 4) << changed.err;
  EXPECT_TRUE(contains(changed.err, "error: 'changed.pt' does not give the expected outputs"));
  const auto found = Json::parse(changed.out);
  EXPECT_EQ(found.at("verified"), false);
  EXPECT_NEAR(found.at("max_abs_diff"), 0.01, 1e-4);
  EXPECT_NE(found.at("reason"), "");
  EXPECT_EQ(run_here({"verify", "changed.pt", "--tolerance", "1"}).code, 0);
}

TEST_F(Verify, ComparesTwoFiles) {
  const auto model = model_file("scripted_module.pt");
  const auto same =
      run_here({"verify", model_file("frozen.pt"), "--against", model, "--input", "4x3x8x8"});
  EXPECT_EQ(same.code, 0) << same.err;
  EXPECT_EQ(same.out.rfind("verified, largest difference ", 0), 0U) << same.out;

  ASSERT_EQ(run_here({"convert", model, "-o", "out.pt", "-q"}).code, 0);
  const auto different = run_here({"verify", "out.pt", "--against", model, "--input", "4x3x8x8"});
  EXPECT_EQ(different.code, 4);
  EXPECT_EQ(different.out.rfind("different, largest difference ", 0), 0U) << different.out;
  EXPECT_TRUE(contains(different.err, "error: 'out.pt'"));

  // Without a guess that fits, the inputs must be given.
  choosy_model().save(path("choosy.pt"));
  expect_failure(run_here({"verify", "choosy.pt", "--against", "choosy.pt"}), 2, {"--input"});
  EXPECT_EQ(run_here({"verify", "choosy.pt", "--against", "choosy.pt", "--input", "5x7"}).code, 0);
  const auto two = model_file("two_inputs.pt");
  EXPECT_EQ(run_here({"verify", two, "--against", two}).code, 0);
  EXPECT_EQ(run_here({"verify", two, "--against", two, "--input", "2x4", "--input", "2x3"}).code,
            0);
}

}  // namespace
}  // namespace tool_test
