#include <actswap/base/error.h>
#include <actswap/measure/sensitivity.h>
#include <actswap/pipeline/convert.h>

#include <gtest/gtest.h>

#include "models.h"

namespace actswap {
namespace {

/// Images whose target is what the model itself puts out: the original's error is 0.
std::shared_ptr<Dataset> data_for(const Model& model, std::int64_t examples) {
  torch::manual_seed(1);
  const auto images = torch::randn({examples, 3, 8, 8});
  auto module = reload(model.module);
  module.eval();
  return std::make_shared<TensorDataset>(std::vector<torch::Tensor>{images},
                                         outputs_of(module, {images})[0]);
}

struct Setting {
  ScratchFolder scratch;
  Model model = load(test_model("dropout_bn.pt"));
  Plan the_plan = plan(model, {});
  ConvertOptions options;

  Setting() {
    options.output = scratch / "out.pt";
    options.train_data = data_for(model, 96);
    options.validation_data = data_for(model, 64);
    options.train.epochs = 2;
    options.train.batch_size = 32;
    options.train.loss = Signal::distil_mse;
    options.train.learning_rate = 1e-3;
    options.schedule = Schedule::linear({.begin = 0.0, .end = 1.0});
  }
  Run run(const ConvertCallbacks& callbacks = {}) const {
    return convert(model, the_plan, options, callbacks);
  }
};

TEST(Convert, GoesTheWholeWay) {
  Setting setting;
  setting.options.control = true;
  setting.options.run_directory = setting.scratch / "run";
  std::vector<double> ramp;
  ConvertCallbacks callbacks;
  callbacks.on_step = [&](const std::string& phase, const Progress& progress) {
    if (phase == "retarget") {
      ramp.push_back(progress.t);
    }
  };
  const auto run = setting.run(callbacks);
  EXPECT_EQ(run.plan.swapped(), 2U);
  EXPECT_TRUE(run.verification.verified);
  EXPECT_EQ(run.original->metric, "mse");
  EXPECT_EQ(run.original->value, 0.0);
  EXPECT_GT(run.swap_alone->value, 0.0);
  EXPECT_LT(run.retargeted->value, run.swap_alone->value);
  ASSERT_TRUE(run.control);
  EXPECT_EQ(run.epochs.size(), 2U);
  EXPECT_EQ(run.control_epochs.size(), 2U);
  EXPECT_EQ(run.latency.size(), 2U);
  // t moves every step: three steps an epoch, the ramp over the first.
  ASSERT_EQ(ramp.size(), 6U);
  EXPECT_NEAR(ramp[1], 1.0 / 3.0, 1e-12);
  EXPECT_EQ(ramp[3], 1.0);

  const auto exported = load(setting.options.output);
  EXPECT_EQ(plan(exported, {}).swapped(), 0U) << "sources are left in the export";
  auto module = exported.module;
  EXPECT_EQ(evaluate(module, *setting.options.validation_data).value, run.retargeted->value);
  std::ifstream record(setting.scratch / "run/run.json");
  const auto json = nlohmann::json::parse(record);
  EXPECT_EQ(json["sites_swapped"], 2);
  EXPECT_EQ(json["retargeted"], run.retargeted->value);
}

TEST(Convert, SameSeedSameParameters) {
  Setting setting;
  setting.run();
  const auto first = load(setting.options.output).module;
  setting.run();
  const auto second = load(setting.options.output).module;
  setting.options.train.seed = 1;
  setting.run();
  const auto other = load(setting.options.output).module;
  bool differs = false;
  const auto a = distinct_parameters(first);
  const auto b = distinct_parameters(second);
  const auto c = distinct_parameters(other);
  for (std::size_t i = 0; i < a.size(); ++i) {
    EXPECT_TRUE(torch::equal(a[i], b[i]));
    differs = differs || !torch::equal(a[i], c[i]);
  }
  EXPECT_TRUE(differs) << "another seed gave the same parameters";
}

TEST(Convert, WithoutDataIsAPlainSwap) {
  Setting setting;
  setting.options.train_data = nullptr;
  setting.options.validation_data = nullptr;
  const auto run = setting.run();
  EXPECT_FALSE(run.trained);
  EXPECT_TRUE(run.verification.verified);
  EXPECT_FALSE(run.original);
  const auto before = distinct_parameters(setting.model.module);
  const auto after = distinct_parameters(load(setting.options.output).module);
  for (std::size_t i = 0; i < before.size(); ++i) {
    EXPECT_TRUE(torch::equal(before[i], after[i]));
  }
}

TEST(Convert, SitesAndAveragesComeOutAsAnyModel) {
  Setting setting;
  setting.options.train.loss = parse_loss("distil-mse+0.01*sites");
  setting.options.train.average = 0.9;
  setting.options.control = true;
  for (const bool calibrated : {false, true}) {
    if (calibrated) {
      setting.options.calibration_data = setting.options.train_data;
    }
    const auto run = setting.run();
    EXPECT_TRUE(run.verification.verified);
    const auto exported = load(setting.options.output);
    auto module = exported.module;
    EXPECT_EQ(evaluate(module, *setting.options.validation_data).value, run.retargeted->value);
    EXPECT_EQ(distinct_parameters(module).size(), distinct_parameters(setting.model.module).size());
    EXPECT_EQ(exported.module.buffers().size(), setting.model.module.buffers().size());
    // The control starts at the original and is compared with it. In train mode the statistics of
    // this model, which was never trained, are wrong for it; a calibration mends that.
    if (!calibrated) {
      EXPECT_LT(run.control_epochs[0].mean_loss, run.epochs[0].mean_loss);
    }
  }
}

TEST(Convert, SitesMoveOneAfterAnotherInTheOrderThatIsAskedFor) {
  Setting setting;  // stem.2 runs before blocks.1; each takes half of the first epoch
  setting.options.train.epochs = 4;
  setting.options.schedule = Schedule::linear({.end = 2.0});
  const auto sites = order_sites(SiteOrder::together, setting.model, setting.the_plan, {}, nullptr);
  ASSERT_EQ(sites.size(), 2U);
  const auto forward = [&] {
    setting.options.order = SiteOrder::forward;
    return setting.run().site_order;
  }();
  setting.options.order = SiteOrder::backward;
  const auto run = setting.run();
  EXPECT_EQ(run.site_order, std::vector<std::string>(forward.rbegin(), forward.rend()));
  EXPECT_NE(run.schedule.find("site after site (backward)"), std::string::npos) << run.schedule;
  EXPECT_DOUBLE_EQ(run.epochs[0].t, 0.5);
  EXPECT_EQ(run.epochs[1].t, 1.0);
  EXPECT_TRUE(run.verification.verified);
  setting.options.order = SiteOrder::sensitivity;
  auto by_loss = setting.run().site_order;
  std::map<std::string, double> losses;
  for (const auto& site :
       measure_sensitivity(setting.model, setting.the_plan, *setting.options.validation_data)
           .sites) {
    losses[site.id] = site.loss;
  }
  EXPECT_LT(losses.at(by_loss[0]), losses.at(by_loss[1]));
  setting.options.site_order = forward;
  EXPECT_EQ(setting.run().site_order, forward);
  setting.options.site_order = {forward[0], forward[0]};
  EXPECT_THROW(setting.run(), UsageError);
}

TEST(Convert, ChecksAndTheSweepAreRecorded) {
  Setting setting;
  setting.options.train.keep = Keep::best;
  setting.options.train.check_every = 1.0 / 3.0;
  setting.options.train.bound = 1e-9;
  setting.options.sweeps_rate = true;
  setting.options.schedule = Schedule::linear({.end = 0.5});
  const auto run = setting.run();
  ASSERT_TRUE(run.rate_sweep);
  EXPECT_EQ(run.train.learning_rate, run.rate_sweep->chosen);
  double best = 1e300;
  for (const auto& epoch : run.epochs) {
    for (const auto& check : epoch.checks) {
      EXPECT_DOUBLE_EQ(check.drop, check.value);  // the original's error is 0
      best = check.t == 1.0 ? std::min(best, check.drop) : best;
    }
  }
  EXPECT_EQ(run.epochs[0].checks[1].ramp, "waits");
  EXPECT_EQ(run.retargeted->value, best);
  const auto json = nlohmann::json::parse(to_json(run));
  EXPECT_EQ(json["training"]["rate_sweep"]["chosen"], run.rate_sweep->chosen);
  EXPECT_EQ(json["epochs"][0]["checks"][1]["ramp"], "waits");
  EXPECT_EQ(json["training"]["keep"], "best");
}

TEST(Convert, ChecksNeedNoLabels) {
  Setting setting;
  const auto& labelled = dynamic_cast<const TensorDataset&>(*setting.options.validation_data);
  setting.options.validation_data =
      std::make_shared<TensorDataset>(labelled.inputs(), torch::Tensor());
  setting.options.train.keep = Keep::best;
  const auto run = setting.run();
  ASSERT_FALSE(run.epochs[0].checks.empty());
  for (const auto& check : run.epochs[0].checks) {
    EXPECT_GT(check.value, 0.0);
  }
  setting.options.validation_data = nullptr;
  EXPECT_THROW(setting.run(), UsageError);
}

TEST(Convert, TrainingThatDoesHarmIsTakenBack) {
  Setting setting;
  setting.options.calibration_data = setting.options.train_data;
  setting.options.schedule = Schedule::step({});
  auto run = setting.run();
  ASSERT_TRUE(run.training_effect);
  EXPECT_FALSE(run.training_effect->taken_back);
  EXPECT_LT(run.training_effect->after, run.training_effect->before);

  setting.options.train.learning_rate = 1.0;  // an explosion, which is more than harm
  EXPECT_THROW(setting.run(), Diverged);
  setting.options.train.learning_rate = 0.05;
  run = setting.run();
  EXPECT_TRUE(run.training_effect->taken_back);
  EXPECT_EQ(run.training_effect->examples, 96);
  EXPECT_NE(summary_table(run).find("taken back"), std::string::npos) << summary_table(run);
  const auto trained = load(setting.options.output).module;
  setting.options.train_data = nullptr;
  setting.run();
  const auto calibrated = load(setting.options.output).module;
  EXPECT_EQ(largest_difference(distinct_parameters(trained), distinct_parameters(calibrated)), 0.0);
}

TEST(Convert, GateKeepsABadModelFromBeingWritten) {
  Setting setting;
  setting.options.train_data = nullptr;
  setting.options.max_drop = 0.0;
  try {
    setting.run();
    FAIL() << "the gate let it pass";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::accuracy);
    EXPECT_NE(std::string(error.what()).find("(from 0 to"), std::string::npos) << error.what();
  }
  EXPECT_TRUE(setting.scratch.list().empty());
  setting.options.max_drop = 100.0;
  EXPECT_NO_THROW(setting.run());
}

TEST(Convert, GateNeedsLabels) {
  Setting setting;
  setting.options.validation_data = nullptr;
  setting.options.max_drop = 1.0;
  EXPECT_THROW(setting.run(), UsageError);
  EXPECT_TRUE(setting.scratch.list().empty());
}

TEST(Convert, StopsWhenAsked) {
  Setting setting;
  int asked = 0;
  ConvertCallbacks callbacks;
  callbacks.should_stop = [&] { return ++asked > 3; };
  EXPECT_THROW(setting.run(callbacks), Interrupted);
  EXPECT_TRUE(setting.scratch.list().empty());
}

}  // namespace
}  // namespace actswap
