// What a conversion says of its result, checked on the file that it wrote and by runs of their own.
#include <actswap/base/error.h>
#include <actswap/pipeline/convert.h>

#include <gtest/gtest.h>

#include "models.h"

namespace actswap {
namespace {

struct ClaimSetting {
  ScratchFolder scratch;
  Model model = load(test_model("dropout_bn.pt"));
  ConvertRequest request;

  ClaimSetting() {
    request.output = scratch / "out.pt";
    request.run_directory = "";
    request.train_data = data(96, 1);
    request.validation_data = data(64, 2);
    request.recipe = Recipe::hard;
    request.train.epochs = 1;
    request.train.batch_size = 32;
    request.train.loss = parse_loss("distil-mse");
    request.train.learning_rate = LearningRate{.value = 1e-2};
    request.control = true;
  }
  torch::Tensor outputs(torch::jit::Module module, const torch::Tensor& images) const {
    module.eval();
    return outputs_of(module, {images})[0];
  }
  std::shared_ptr<TensorDataset> data(std::int64_t examples, std::uint64_t seed) const {
    torch::manual_seed(seed);
    const auto images = torch::randn({examples, 3, 8, 8});
    return std::make_shared<TensorDataset>(
        std::vector<torch::Tensor>{images},
        outputs(reload(model.module), images) + 0.1 * torch::randn({examples, 1}));
  }
  Run run() const { return convert(model, plan(model, {}), request); }
};

TEST(Claims, AreTrueOfTheWrittenFile) {
  const ClaimSetting setting;
  const auto run = setting.run();
  const auto& data = dynamic_cast<const TensorDataset&>(*setting.request.validation_data);
  const auto before = setting.outputs(setting.model.module, data.inputs()[0]);
  const auto after = setting.outputs(load(setting.request.output).module, data.inputs()[0]);
  const auto error = (after - before).square().sum() / before.square().sum();
  EXPECT_NEAR(run.agreement->relative_error, error.item<double>(), 1e-5 * error.item<double>());
  const auto errors = [&](const torch::Tensor& output) {
    return (output - data.target()).square().mean(1).to(torch::kFloat64);
  };
  const auto difference = errors(after) - errors(before);
  const auto comparison = compare(*run.retargeted, *run.original);
  ASSERT_TRUE(comparison);
  EXPECT_NEAR(comparison->difference.mean, difference.mean().item<double>(), 1e-6);
  // Of 63 degrees of freedom (scipy 1.17.1: stats.t.ppf(0.975, 63)).
  EXPECT_NEAR(comparison->difference.half_width,
              1.998340542520741 * difference.std().item<double>() / 8.0, 1e-6);
  EXPECT_NEAR(comparison->difference.mean, run.retargeted->value - run.original->value, 1e-6);
  ASSERT_TRUE(run.control_agreement);
  EXPECT_GT(run.control_agreement->relative_error, 0.0);
  EXPECT_TRUE(run.seeds.empty());
}

TEST(Claims, SeedsAreRunsOfTheirOwnAndTheFirstIsExported) {
  ClaimSetting setting;
  std::vector<actswap::Run> alone;  // not testing::Test::Run
  for (const std::uint64_t seed : {5, 6}) {
    setting.request.seed = seed;
    alone.push_back(setting.run());
  }
  setting.request.seed = 5;
  setting.request.seeds = 2;
  setting.request.run_directory = setting.scratch / "run";
  const auto both = setting.run();
  ASSERT_EQ(both.seeds.size(), 2U);
  for (const std::size_t i : {0U, 1U}) {
    EXPECT_EQ(both.seeds[i].seed, 5 + i);
    EXPECT_EQ(both.seeds[i].retargeted.evaluation->value, alone[i].retargeted->value);
    EXPECT_EQ(both.seeds[i].control->evaluation->value, alone[i].control->value);
    EXPECT_EQ(both.seeds[i].retargeted.agreement.relative_error,
              alone[i].agreement->relative_error);
  }
  EXPECT_NE(alone[0].retargeted->value, alone[1].retargeted->value);
  EXPECT_EQ(both.retargeted->value, alone[0].retargeted->value);
  EXPECT_EQ(both.epochs.size(), 1U) << "the record is that of the exported model";
  auto module = load(setting.request.output).module;
  EXPECT_EQ(evaluate(module, *setting.request.validation_data).value, alone[0].retargeted->value);
  const auto against = over_seeds_against_control(both.seeds);
  EXPECT_NEAR(against.mean,
              0.5 * (alone[0].retargeted->value - alone[0].control->value +
                     alone[1].retargeted->value - alone[1].control->value),
              1e-12);
  std::ifstream record(setting.scratch / "run/run.json");
  EXPECT_EQ(nlohmann::json::parse(record)["seeds"].size(), 2U);
}

TEST(Claims, WithoutLabelsOutputsAreCompared) {
  ClaimSetting setting;
  const auto& data = dynamic_cast<const TensorDataset&>(*setting.request.validation_data);
  setting.request.validation_data = std::make_shared<TensorDataset>(data.inputs(), torch::Tensor());
  setting.request.seeds = 2;
  const auto run = setting.run();
  EXPECT_FALSE(run.retargeted);
  EXPECT_FALSE(run.control);
  ASSERT_TRUE(run.agreement);
  EXPECT_GT(run.agreement->relative_error, 0.0);
  EXPECT_TRUE(run.control_agreement);
  EXPECT_EQ(run.seeds.size(), 2U);
  const auto json = nlohmann::json::parse(to_json(run));
  EXPECT_FALSE(json.contains("comparisons"));
  EXPECT_EQ(json["agreement"]["retargeted"]["relative_error"], run.agreement->relative_error);
}

TEST(Claims, SeveralSeedsNeedSomethingThatDependsOnThem) {
  ClaimSetting setting;
  setting.request.seeds = 0;
  EXPECT_THROW(setting.run(), UsageError);
  setting.request.seeds = 2;
  setting.request.control = false;
  setting.request.train_data = nullptr;
  EXPECT_THROW(setting.run(), UsageError);
  setting.request.train_data = setting.request.validation_data;
  setting.request.validation_data = nullptr;
  EXPECT_THROW(setting.run(), UsageError);
  EXPECT_TRUE(setting.scratch.list().empty());
}

}  // namespace
}  // namespace actswap
