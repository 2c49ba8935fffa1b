#include <actswap/base/error.h>
#include <actswap/measure/judge.h>

#include <gtest/gtest.h>
#include <torch/script.h>
#include <torch/utils.h>

#include <cmath>

namespace actswap {
namespace {

// forward(x) = scale x + shift
torch::jit::Module make_affine(double scale, double shift) {
  torch::jit::Module module("__torch__.affine");
  module.register_attribute("training", c10::BoolType::get(), true);
  module.register_attribute("scale", c10::FloatType::get(), scale);
  module.register_attribute("shift", c10::FloatType::get(), shift);
  module.define("def forward(self, x):\n  return x * self.scale + self.shift\n");
  return module;
}

const auto kLogits = torch::tensor({{3.0F, 1.0F, -2.0F}, {0.0F, 4.0F, 1.0F}, {1.0F, 2.0F, 2.5F}});

TEST(Judge, EachVariantAsIfAlone) {
  const TensorDataset data({kLogits}, torch::tensor({0, 2, 1}));
  auto original = make_affine(1.0, 0.0);
  auto changed = make_affine(-1.0, 0.0);
  for (const std::int64_t batch_size : {1, 2, 8}) {
    const auto judgements = judge({{original}, {changed}}, data, {.batch_size = batch_size});
    ASSERT_EQ(judgements.size(), 2U);
    for (const bool first : {true, false}) {
      const auto alone = evaluate(first ? original : changed, data, batch_size);
      const auto& together = *judgements[first ? 0 : 1].evaluation;
      EXPECT_EQ(together.value, alone.value);
      EXPECT_EQ(together.mean_loss, alone.mean_loss);
      EXPECT_EQ(together.per_class, alone.per_class);
      EXPECT_EQ(together.examples, 3);
    }
  }
  EXPECT_TRUE(original.is_training());
  EXPECT_TRUE(changed.is_training());
}

TEST(Judge, AgreementWithTheFirst) {
  const auto judgements =
      judge({{make_affine(1.0, 0.0)}, {make_affine(0.5, 0.0)}, {make_affine(-1.0, 0.0)}},
            TensorDataset({kLogits}, {}), {.batch_size = 2});
  EXPECT_FALSE(judgements[0].evaluation) << "there is no target";
  EXPECT_EQ(judgements[0].agreement.relative_error, 0.0);
  EXPECT_NEAR(judgements[0].agreement.mean_cosine, 1.0, 1e-12);
  EXPECT_EQ(judgements[0].agreement.same_prediction, 100.0);
  // |x / 2 - x|^2 / |x|^2
  EXPECT_NEAR(judgements[1].agreement.relative_error, 0.25, 1e-12);
  EXPECT_NEAR(judgements[1].agreement.mean_cosine, 1.0, 1e-12);
  EXPECT_EQ(judgements[1].agreement.same_prediction, 100.0);
  EXPECT_NEAR(judgements[2].agreement.relative_error, 4.0, 1e-12);
  EXPECT_NEAR(judgements[2].agreement.mean_cosine, -1.0, 1e-12);
  EXPECT_EQ(judgements[2].agreement.same_prediction, 0.0);
}

// numpy 2.4.6, with x the logits above:
//   y = x + [1, 0, 0] on the first example only -> errors |y - x|^2 * 3 / (x**2).sum()
TEST(Judge, WhatEachExampleAddsToTheError) {
  torch::jit::Module module("__torch__.part");
  module.define("def forward(self, x):\n  return torch.where(x == 3.0, x + 1.0, x)\n");
  const auto agreement =
      judge({{make_affine(1.0, 0.0)}, {module}}, TensorDataset({kLogits}, {}), {.batch_size = 2})[1]
          .agreement;
  const double norm = 9 + 1 + 4 + 16 + 1 + 1 + 4 + 6.25;
  EXPECT_NEAR(agreement.relative_error, 1.0 / norm, 1e-12);
  ASSERT_EQ(agreement.example_errors.size(0), 3);
  EXPECT_NEAR(agreement.example_errors[0].item<double>(), 3.0 / norm, 1e-7);
  EXPECT_EQ(agreement.example_errors[1].item<double>(), 0.0);
}

torch::jit::Module make_forward(const std::string& code) {
  torch::jit::Module module("__torch__.forward");
  module.register_attribute("training", c10::BoolType::get(), true);
  module.register_buffer("calls", torch::zeros({1}));
  module.define("def forward(self, x):\n" + code);
  return module;
}

// Equal infinities are no error, and no part of the original's size.
TEST(Judge, MaskedOutputsAgree) {
  const TensorDataset data({kLogits}, {});
  const auto masked = [](double scale) {
    return make_forward("  return (" + std::to_string(scale) +
                        " * x).masked_fill(x < 0.5, float('-inf'))\n");
  };
  const auto judgements = judge({{masked(1.0)}, {masked(0.5)}}, data, {.batch_size = 2});
  EXPECT_EQ(judgements[0].agreement.relative_error, 0.0);
  EXPECT_NEAR(judgements[1].agreement.relative_error, 0.25, 1e-12);
  EXPECT_NEAR(judgements[1].agreement.mean_cosine, 1.0, 1e-12);
  EXPECT_EQ(judgements[1].agreement.same_prediction, 100.0);
  // Another mask is an error without bound.
  EXPECT_FALSE(std::isfinite(
      judge({{masked(1.0)}, {make_affine(1.0, 0.0)}}, data)[1].agreement.relative_error));
}

TEST(Judge, NaNIsNoAgreementAndNoPrediction) {
  const TensorDataset data({kLogits}, torch::tensor({0, 2, 1}));
  const auto nothing = make_forward("  return torch.log(-1.0 - x * x)\n");
  const auto judgements = judge({{nothing}, {nothing}}, data);
  EXPECT_TRUE(std::isnan(judgements[1].agreement.relative_error));
  EXPECT_TRUE(std::isnan(judgements[1].agreement.mean_cosine));
  EXPECT_FALSE(judgements[1].agreement.same_prediction);
  EXPECT_TRUE(std::isnan(judgements[1].evaluation->value));
  // One example of three: it is classified wrongly, and agrees with nothing.
  const auto one = make_forward("  return torch.where(x[:, :1] == 0.0, float('nan'), x)\n");
  const auto some = judge({{make_affine(1.0, 0.0)}, {one}}, data);
  EXPECT_NEAR(some[0].evaluation->value, 100.0 / 3.0, 1e-5);
  EXPECT_NEAR(*some[1].agreement.same_prediction, 200.0 / 3.0, 1e-5);
}

TEST(Judge, BothPartsOfComplexOutputsCount) {
  const auto judgements = judge({{make_forward("  return torch.complex(x, x)\n")},
                                 {make_forward("  return torch.complex(x, -x)\n")}},
                                TensorDataset({kLogits}, {}));
  EXPECT_NEAR(judgements[1].agreement.relative_error, 2.0, 1e-12);
  EXPECT_NEAR(judgements[1].agreement.mean_cosine, 0.0, 1e-12);
}

// The same noise in both, and no trace in either.
TEST(Judge, RandomModelsThatCountTheirCalls) {
  const auto noisy =
      make_forward("  self.calls.add_(1.0)\n  return x + self.calls * torch.randn_like(x)\n");
  const auto judgements =
      judge({{noisy}, {noisy}}, TensorDataset({kLogits}, {}), {.batch_size = 1});
  EXPECT_EQ(judgements[1].agreement.relative_error, 0.0);
  EXPECT_EQ(noisy.attr("calls").toTensor().item<float>(), 0.0F);
}

// Predictions are of classes, wherever they are, and of nothing else.
TEST(Judge, PredictionsAreCountedWhereThereAreClasses) {
  torch::manual_seed(2);
  const auto x = 3.0 * torch::randn({40, 4, 5});
  const auto same = [&](const std::string& first, const std::string& second) {
    return judge({{make_forward("  return " + first + "\n")},
                  {make_forward("  return " + second + "\n")}},
                 TensorDataset({x}, {}))[1]
        .agreement.same_prediction;
  };
  EXPECT_EQ(same("torch.softmax(x, 2)", "torch.softmax(2.0 * x, 2)"), 100.0);
  EXPECT_EQ(same("torch.softmax(x, 1)", "torch.softmax(2.0 * x, 1)"), 100.0);
  EXPECT_LT(*same("torch.softmax(x, 2)", "torch.softmax(x * x, 2)"), 100.0);
  EXPECT_FALSE(same("torch.tanh(x)", "torch.tanh(x)")) << "values";
  const auto* unit = "x[:, :, 0] / torch.norm(x[:, :, 0], 2, 1, True)";
  EXPECT_FALSE(same(unit, unit)) << "embeddings";
}

TEST(Judge, ANumberIsAnOutput) {
  const auto judgements = judge({{make_forward("  return float(x.sum())\n")},
                                 {make_forward("  return 0.5 * float(x.sum())\n")}},
                                TensorDataset({kLogits}, {}));
  EXPECT_NEAR(judgements[1].agreement.relative_error, 0.25, 1e-12);
}

TEST(Judge, VariantsMayBeSettingsOfOneModule) {
  auto module = make_affine(1.0, 0.0);
  std::vector<Variant> variants;
  for (const double scale : {1.0, 2.0, 3.0}) {
    variants.push_back({module, [module, scale]() mutable { module.setattr("scale", scale); }});
  }
  const auto judgements = judge(variants, TensorDataset({kLogits}, {}), {.batch_size = 1});
  for (const std::size_t i : {0U, 1U, 2U}) {
    EXPECT_NEAR(judgements[i].agreement.relative_error, static_cast<double>(i * i), 1e-12);
  }
}

TEST(Judge, OutputsOfARegressionHaveNoPrediction) {
  const auto judgements = judge({{make_affine(1.0, 0.0)}, {make_affine(1.0, 1.0)}},
                                TensorDataset({kLogits}, kLogits.clone()), {});
  EXPECT_FALSE(judgements[1].agreement.same_prediction);
  EXPECT_EQ(judgements[1].evaluation->metric, "mse");
  EXPECT_NEAR(judgements[1].evaluation->value, 1.0, 1e-6);
}

TEST(Judge, StopsBeforeTheNextRun) {
  JudgeOptions options{.batch_size = 1};
  std::int64_t ran = 0;
  options.should_stop = [&] { return ran == 4; };
  options.on_run = [&](std::int64_t run, std::int64_t runs) {
    EXPECT_EQ(run, ++ran);
    EXPECT_EQ(runs, 6);
  };
  const auto module = make_affine(1.0, 0.0);
  EXPECT_THROW(judge({{module}, {module}}, TensorDataset({kLogits}, {}), options), Interrupted);
  EXPECT_EQ(ran, 4);
}

TEST(Judge, WhatDoesNotFitIsRefused) {
  torch::jit::Module narrow("__torch__.narrow");
  narrow.define("def forward(self, x):\n  return x.narrow(1, 0, 2)\n");
  const auto module = make_affine(1.0, 0.0);
  try {
    judge({{module}, {narrow}}, TensorDataset({kLogits}, {}), {});
    FAIL() << "shapes differ";
  } catch (const UsageError& error) {
    EXPECT_NE(std::string(error.what()).find("[3, 3]"), std::string::npos) << error.what();
  }
  EXPECT_THROW(judge({}, TensorDataset({kLogits}, {}), {}), UsageError);
}

}  // namespace
}  // namespace actswap
