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
  ConvertRequest request;

  Setting() {
    request.output = scratch / "out.pt";
    request.run_directory = "";
    request.train_data = data_for(model, 96);
    request.validation_data = data_for(model, 64);
    request.train.epochs = 2;
    request.train.batch_size = 32;
    request.train.loss = Signal::distil_mse;
    request.train.learning_rate = LearningRate{.value = 1e-3};
    request.ramp.end = 1.0;
  }
  Run run(const ConvertCallbacks& callbacks = {}) const {
    return convert(model, the_plan, request, callbacks);
  }
  /// All that only a training takes.
  void leave_training_out() {
    request.train_data = nullptr;
    request.train = {};
    request.ramp = {};
  }
};

TEST(Convert, GoesTheWholeWay) {
  Setting setting;
  setting.request.control = true;
  setting.request.run_directory = setting.scratch / "run";
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

  const auto exported = load(setting.request.output);
  EXPECT_EQ(plan(exported, {}).swapped(), 0U) << "sources are left in the export";
  auto module = exported.module;
  EXPECT_EQ(evaluate(module, *setting.request.validation_data).value, run.retargeted->value);
  std::ifstream record(setting.scratch / "run/run.json");
  const auto json = nlohmann::json::parse(record);
  EXPECT_EQ(json["sites_swapped"], 2);
  EXPECT_EQ(json["retargeted"], run.retargeted->value);
  EXPECT_EQ(json["options"]["control"], true);
  EXPECT_EQ(json["options"]["seeds"], 1);
  EXPECT_TRUE(json["options"]["max_drop"].is_null());
  EXPECT_EQ(json["training"]["blend_code"], "fused");
  EXPECT_EQ(json["recipe"].get<std::string>().rfind("ramp, trained on distil-mse, 2 epochs", 0),
            0U);
}

TEST(Convert, ModelsThatTakeACertainNumberOfExamplesGoTheWholeWay) {
  for (const std::int64_t count : {1, 4}) {
    const ScratchFolder scratch;
    torch::manual_seed(0);
    torch::jit::Module module("net");
    const auto weight = [](std::vector<std::int64_t> sizes) {
      return (0.4 * torch::randn(sizes)).requires_grad_();
    };
    module.register_parameter("first", weight({12, 6}), false);
    module.register_parameter("second", weight({3, 12}), false);
    module.define("def forward(self, x):\n  h = torch.silu(torch.linear(x.view(" +
                  std::to_string(count) +
                  ", 6), self.first))\n  return torch.linear(h, self.second)\n");
    const Model model{.module = module, .recorded_inputs = {{.sizes = {count, 6}}}};
    const auto inputs = std::make_shared<TensorDataset>(
        std::vector<torch::Tensor>{torch::randn({67, 6})}, torch::Tensor());
    ConvertRequest request{.output = scratch / "out.pt",
                           .run_directory = "",
                           .calibration_data = inputs,
                           .train_data = inputs,
                           .validation_data = inputs};
    request.train.epochs = 1;
    std::string messages;
    ConvertCallbacks callbacks;
    callbacks.on_message = [&](const std::string& text) { messages += text + "\n"; };
    const auto run = convert(model, plan(model, {}), request, callbacks);
    EXPECT_TRUE(run.verification.verified);
    EXPECT_TRUE(run.calibration && run.agreement && run.trained);
    EXPECT_EQ(run.train.batch_size % count, 0);
    EXPECT_GE(run.train.batch_size, 8) << "a step takes several batches";
    EXPECT_NE(messages.find("since the model takes no other number"), std::string::npos);
    request.train.batch_size = 2 * count + 1;
    if (count > 1) {
      EXPECT_THROW(convert(model, plan(model, {}), request), UsageError);
    }
  }
}

TEST(Convert, SameSeedSameParameters) {
  Setting setting;
  setting.run();
  const auto first = load(setting.request.output).module;
  setting.run();
  const auto second = load(setting.request.output).module;
  setting.request.seed = 1;
  setting.run();
  const auto other = load(setting.request.output).module;
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
  setting.leave_training_out();
  setting.request.validation_data = nullptr;
  const auto run = setting.run();
  EXPECT_FALSE(run.trained);
  EXPECT_TRUE(run.verification.verified);
  EXPECT_FALSE(run.original);
  const auto before = distinct_parameters(setting.model.module);
  const auto after = distinct_parameters(load(setting.request.output).module);
  for (std::size_t i = 0; i < before.size(); ++i) {
    EXPECT_TRUE(torch::equal(before[i], after[i]));
  }
}

TEST(Convert, SitesAndAveragesComeOutAsAnyModel) {
  Setting setting;
  setting.request.train.loss = parse_loss("distil-mse+0.01*sites");
  setting.request.train.average = 0.9;
  setting.request.control = true;
  for (const bool calibrated : {false, true}) {
    if (calibrated) {
      setting.request.calibration_data = setting.request.train_data;
    }
    const auto run = setting.run();
    EXPECT_TRUE(run.verification.verified);
    const auto exported = load(setting.request.output);
    auto module = exported.module;
    EXPECT_EQ(evaluate(module, *setting.request.validation_data).value, run.retargeted->value);
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
  setting.request.train.epochs = 4;
  setting.request.ramp.end = 2.0;
  const auto sites = order_sites(SiteOrder::together, setting.model, setting.the_plan, {}, nullptr);
  ASSERT_EQ(sites.size(), 2U);
  const auto forward = [&] {
    setting.request.ramp.order = SiteOrder::forward;
    return setting.run().site_order;
  }();
  setting.request.ramp.order = SiteOrder::backward;
  const auto run = setting.run();
  EXPECT_EQ(run.site_order, std::vector<std::string>(forward.rbegin(), forward.rend()));
  EXPECT_NE(run.schedule.find("site after site (backward)"), std::string::npos) << run.schedule;
  EXPECT_DOUBLE_EQ(run.epochs[0].t, 0.5);
  EXPECT_EQ(run.epochs[1].t, 1.0);
  EXPECT_TRUE(run.verification.verified);
  setting.request.ramp.order = SiteOrder::sensitivity;
  auto by_loss = setting.run().site_order;
  std::map<std::string, double> losses;
  for (const auto& site :
       measure_sensitivity(setting.model, setting.the_plan, *setting.request.validation_data)
           .sites) {
    losses[site.id] = site.loss;
  }
  EXPECT_LT(losses.at(by_loss[0]), losses.at(by_loss[1]));
  setting.request.ramp.site_order = forward;
  EXPECT_EQ(setting.run().site_order, forward);
  setting.request.ramp.site_order = {forward[0], forward[0]};
  EXPECT_THROW(setting.run(), UsageError);
}

TEST(Convert, ChecksAndTheSweepAreRecorded) {
  Setting setting;
  setting.request.train.keep = Keep::best;
  setting.request.train.check_every = 1.0 / 3.0;
  setting.request.ramp.bound = 1e-9;
  setting.request.ramp.end = 0.5;
  setting.request.train.learning_rate = LearningRate{LearningRate::Kind::swept};
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
  const auto& labelled = dynamic_cast<const TensorDataset&>(*setting.request.validation_data);
  setting.request.validation_data =
      std::make_shared<TensorDataset>(labelled.inputs(), torch::Tensor());
  setting.request.train.keep = Keep::best;
  const auto run = setting.run();
  ASSERT_FALSE(run.epochs[0].checks.empty());
  for (const auto& check : run.epochs[0].checks) {
    EXPECT_GT(check.value, 0.0);
  }
  setting.request.validation_data = nullptr;
  EXPECT_THROW(setting.run(), UsageError);
}

TEST(Convert, TrainingThatDoesHarmIsTakenBack) {
  Setting setting;
  setting.request.ramp = {};
  setting.request.recipe = Recipe::calibrated;
  setting.request.train.keeps_statistics = false;
  auto run = setting.run();
  ASSERT_TRUE(run.training_effect);
  EXPECT_FALSE(run.training_effect->is_taken_back());
  EXPECT_LT(run.training_effect->after, run.training_effect->before);

  // An explosion, which is more than harm.
  setting.request.train.learning_rate = LearningRate{.value = 1.0};
  EXPECT_THROW(setting.run(), Diverged);
  setting.request.train.learning_rate = LearningRate{.value = 0.05};
  run = setting.run();
  EXPECT_GT(run.training_effect->after, run.training_effect->before);
  EXPECT_LT(run.training_effect->kept_loss, run.training_effect->before);
  EXPECT_LT(run.training_effect->kept_share, 1.0);
  EXPECT_NE(summary_table(run).find("% of the way kept"), std::string::npos) << summary_table(run);
  setting.request.train.learning_rate = LearningRate{.value = 0.2};
  run = setting.run();
  EXPECT_TRUE(run.training_effect->is_taken_back());
  EXPECT_EQ(run.training_effect->examples, 8) << "of 96, held out";
  EXPECT_NE(summary_table(run).find("taken back"), std::string::npos) << summary_table(run);
  const auto trained = load(setting.request.output).module;
  setting.request.calibration_data = setting.request.train_data;
  setting.request.calibration.draws_each_pass = true;  // as before the training
  setting.leave_training_out();
  setting.run();
  const auto calibrated = load(setting.request.output).module;
  EXPECT_EQ(largest_difference(distinct_parameters(trained), distinct_parameters(calibrated)), 0.0);
}

// Nothing is asked for: the loss, the rate and the check are found.
TEST(Convert, TrainsWithoutLabelsByItself) {
  Setting setting;
  setting.request.ramp = {};
  setting.request.train = {.epochs = 2.0};
  std::vector<std::string> messages;
  const auto run =
      setting.run({.on_message = [&](const std::string& text) { messages.push_back(text); }});
  ASSERT_TRUE(run.rate_sweep);
  EXPECT_EQ(run.train.learning_rate, run.rate_sweep->chosen);
  EXPECT_FALSE(run.training_effect->is_taken_back());
  EXPECT_LT(run.training_effect->after, run.training_effect->before);
  double best = run.training_effect->before;
  for (const auto& epoch : run.epochs) {
    for (const auto& check : epoch.checks) {
      best = std::min(best, check.value);
    }
  }
  EXPECT_NEAR(run.training_effect->after, best, 1e-6 * best);
  EXPECT_NE(std::ranges::find_if(
                messages, [](const auto& text) { return text.starts_with("output 1 of 1: "); }),
            messages.end());
  const auto json = nlohmann::json::parse(to_json(run)).at("training");
  EXPECT_EQ(json.at("learning_rate_from"), "search");
  EXPECT_EQ(json.at("learning_rate_is_share"), true);
  EXPECT_EQ(json.at("outputs").size(), 1U);
  EXPECT_EQ(json.at("held_out"), 8);
}

// What is exported has nothing to do with it. In train mode, in which the control alone runs here,
// the gradient of this model is no number.
TEST(Convert, AControlThatDivergesIsALineInTheRecord) {
  torch::manual_seed(3);
  torch::jit::Module module("__torch__.fragile");
  module.register_attribute("training", c10::BoolType::get(), true);
  module.register_parameter("w", torch::randn({6, 5}).set_requires_grad(true), false);
  module.register_parameter("v", torch::randn({4, 6}).set_requires_grad(true), false);
  module.define(
      "def forward(self, x):\n"
      "  y = torch.linear(torch.mish(torch.linear(x, self.w)), self.v)\n"
      "  if self.training:\n"
      "    y = y + torch.sqrt((self.w * 0.0).sum())\n"
      "  return y\n");
  const auto model = adopt(module);
  const ScratchFolder scratch;
  ConvertRequest request;
  request.output = scratch / "out.pt";
  request.train_data = std::make_shared<TensorDataset>(
      std::vector<torch::Tensor>{torch::randn({64, 5})}, torch::Tensor());
  request.validation_data = request.train_data;
  request.control = true;
  const auto run = convert(model, plan(model, {}), request);
  EXPECT_TRUE(run.verification.verified);
  EXPECT_TRUE(std::filesystem::exists(request.output));
  EXPECT_NE(run.control_diverged.find("Training diverged at step"), std::string::npos)
      << run.control_diverged;
  EXPECT_FALSE(run.control_agreement);
  EXPECT_NE(summary_table(run).find("Training diverged at step"), std::string::npos);
  EXPECT_EQ(nlohmann::json::parse(to_json(run)).at("training").at("control_diverged"),
            run.control_diverged);
}

TEST(Convert, GateKeepsABadModelFromBeingWritten) {
  Setting setting;
  setting.leave_training_out();
  setting.request.max_drop = 0.0;
  try {
    setting.run();
    FAIL() << "the gate let it pass";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::accuracy);
    EXPECT_NE(std::string(error.what()).find("(from 0 to"), std::string::npos) << error.what();
  }
  EXPECT_TRUE(setting.scratch.list().empty());
  setting.request.max_drop = 100.0;
  EXPECT_NO_THROW(setting.run());
}

// The accuracy of outputs that are no numbers is a number: each argmax is some class.
TEST(Convert, GatePassesNothingThatIsNoNumber) {
  Setting setting;
  setting.leave_training_out();
  setting.request.max_drop = 100.0;
  const auto images = torch::full({8, 3, 8, 8}, std::numeric_limits<float>::quiet_NaN());
  const auto outputs = outputs_of(setting.model.module, {images})[0];
  const auto classes = torch::zeros({8}, torch::kLong);
  for (const auto& target : {torch::zeros_like(outputs), classes}) {
    setting.request.validation_data =
        std::make_shared<TensorDataset>(std::vector<torch::Tensor>{images}, target);
    setting.request.probe_inputs = {torch::ones({2, 3, 8, 8})};
    try {
      setting.run();
      FAIL() << "the gate let it pass";
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::accuracy);
      EXPECT_NE(std::string(error.what()).find("is no finite number"), std::string::npos)
          << error.what();
    }
  }
  EXPECT_TRUE(setting.scratch.list().empty());
}

TEST(Convert, GateNeedsLabels) {
  Setting setting;
  setting.request.validation_data = nullptr;
  setting.request.max_drop = 1.0;
  EXPECT_THROW(setting.run(), UsageError);
  EXPECT_TRUE(setting.scratch.list().empty());
}

TEST(Convert, WhereTheRecordGoesIsCheckedBeforeAnythingElse) {
  Setting setting;
  std::ofstream(setting.scratch / "file") << "no folder";
  std::filesystem::create_directories(setting.scratch / "run/run.json");
  ConvertCallbacks callbacks;
  callbacks.on_message = [](const std::string& text) { FAIL() << "it went on: " << text; };
  const auto expect = [&](const std::string& output, const std::string& directory, ErrorKind kind) {
    setting.request.output = setting.scratch / output;
    setting.request.run_directory = setting.scratch / directory;
    try {
      setting.run(callbacks);
      ADD_FAILURE() << output << ", " << directory << " was accepted";
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), kind) << error.what();
    }
  };
  expect("out.pt", "file", ErrorKind::file);
  expect("out.pt", "file/run", ErrorKind::file);
  expect("out.pt", "run", ErrorKind::file);
  expect("out.pt", std::string(300, 'x'), ErrorKind::file);
  std::filesystem::create_directory_symlink("/proc", setting.scratch / "link");
  expect("out.pt", "link/run", ErrorKind::file);
  std::filesystem::remove(setting.scratch / "link");
  expect("out.pt", "out.pt", ErrorKind::usage);
  expect("out.pt", "run/../out.pt/", ErrorKind::usage);
  expect("out.pt", "out.pt/run", ErrorKind::usage);
  std::filesystem::create_directories(setting.scratch / "other");
  expect("other/run.json", "other", ErrorKind::usage);
  EXPECT_EQ(setting.scratch.list(), (std::vector<std::string>{"file", "other", "run"}));
}

/// A batch norm that has seen images of mean 0 and deviation 1, before a silu.
Model trained_on_normalised_images() {
  torch::jit::Module module("net");
  module.register_attribute("training", c10::BoolType::get(), false);
  module.register_parameter("weight", torch::ones({10, 3}), false);
  module.register_buffer("running_mean", torch::zeros({3}));
  module.register_buffer("running_var", torch::ones({3}));
  module.define(R"(
def forward(self, x):
  x = torch.batch_norm(x, None, None, self.running_mean, self.running_var, False, 0.1, 1e-5, False)
  return torch.linear(torch.silu(x).mean([2, 3]), self.weight)
)");
  return {.module = module};
}

TEST(Convert, WarnsOfAForgottenNormalisation) {
  const auto model = trained_on_normalised_images();
  const ScratchFolder scratch;
  const auto warnings_with = [&](double mean, double deviation) {
    torch::manual_seed(1);
    const auto images = torch::randn({32, 3, 8, 8}) * deviation + mean;
    ConvertRequest request{.output = scratch / "out.pt", .run_directory = ""};
    request.calibration_data =
        std::make_shared<TensorDataset>(std::vector<torch::Tensor>{images}, torch::Tensor());
    request.validation_data = request.calibration_data;  // the same data are a warning once
    request.calibration.passes = 0;
    std::vector<std::string> heard;
    const auto run =
        convert(model, plan(model, {}), request,
                {.on_warning = [&](const std::string& text) { heard.push_back(text); }});
    EXPECT_EQ(run.warnings, heard);
    return run;
  };
  EXPECT_EQ(warnings_with(0.0, 1.0).warnings, std::vector<std::string>{});
  const auto run = warnings_with(0.45, 0.225);
  ASSERT_EQ(run.warnings.size(), 1U);
  EXPECT_TRUE(run.warnings[0].starts_with("calibration data: the inputs are not scaled"))
      << run.warnings[0];
  EXPECT_NE(to_json(run).find(run.warnings[0].substr(0, 40)), std::string::npos);
  EXPECT_NE(summary_table(run).find(run.warnings[0]), std::string::npos);
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
