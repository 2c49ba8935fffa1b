#include <actswap/base/error.h>
#include <actswap/measure/accuracy.h>

#include <gtest/gtest.h>
#include <torch/script.h>
#include <torch/utils.h>

#include <cmath>

namespace actswap {
namespace {

// In eval mode the output is the input.
torch::jit::Module make_identity() {
  torch::jit::Module module("__torch__.m");
  module.register_attribute("training", c10::BoolType::get(), true);
  module.define(
      "def forward(self, x):\n  if self.training:\n    return x * 0.0\n  return x * 1.0\n");
  return module;
}

std::string usage_error(const torch::Tensor& input, const torch::Tensor& target) {
  auto module = make_identity();
  try {
    evaluate(module, TensorDataset({input}, target));
  } catch (const UsageError& error) {
    return error.what();
  }
  return "";
}

TEST(Evaluate, AccuracyOfAKnownClassifier) {
  auto module = make_identity();
  // Predicted: 0 0 1 2 2 0 1; classes: 0 1 1 2 2 2 1; class 3 has no example.
  const auto predicted = torch::tensor({0, 0, 1, 2, 2, 0, 1}, torch::kInt64);
  const auto logits = 5.0 * torch::one_hot(predicted, 4).to(torch::kFloat32);
  const auto target = torch::tensor({0, 1, 1, 2, 2, 2, 1}, torch::kInt64);
  for (const std::int64_t batch_size : {1, 3, 256}) {
    const auto evaluation = evaluate(module, TensorDataset({logits}, target), batch_size);
    EXPECT_EQ(evaluation.metric, "accuracy");
    EXPECT_TRUE(evaluation.higher_is_better());
    EXPECT_EQ(evaluation.examples, 7);
    EXPECT_NEAR(evaluation.value, 100.0 * 5.0 / 7.0, 1e-9);
    EXPECT_NEAR(evaluation.mean_loss, torch::cross_entropy_loss(logits, target).item<double>(),
                1e-5);
    ASSERT_EQ(evaluation.per_class.size(), 4U);
    EXPECT_NEAR(evaluation.per_class[0], 100.0, 1e-9);
    EXPECT_NEAR(evaluation.per_class[1], 100.0 * 2.0 / 3.0, 1e-9);
    EXPECT_NEAR(evaluation.per_class[2], 100.0 * 2.0 / 3.0, 1e-9);
    EXPECT_TRUE(std::isnan(evaluation.per_class[3]));
  }
}

TEST(Evaluate, CountsPositions) {
  auto module = make_identity();
  const auto logits = torch::zeros({2, 2, 3});
  logits.select(1, 1).fill_(1.0);  // class 1 everywhere
  const auto target = torch::tensor({0, 1, 1, 1, 1, 0}, torch::kInt64).view({2, 3});
  const auto evaluation = evaluate(module, TensorDataset({logits}, target), 1);
  EXPECT_EQ(evaluation.examples, 2);
  EXPECT_NEAR(evaluation.value, 100.0 * 4.0 / 6.0, 1e-9);
}

TEST(Evaluate, MeanSquaredErrorWeighsASmallLastBatch) {
  auto module = make_identity();
  torch::manual_seed(1);
  const auto output = torch::randn({7, 2});
  const auto target = torch::randn({7, 2});
  const auto evaluation = evaluate(module, TensorDataset({output}, target), 4);
  EXPECT_EQ(evaluation.metric, "mse");
  EXPECT_FALSE(evaluation.higher_is_better());
  EXPECT_NEAR(evaluation.value, (output - target).square().mean().item<double>(), 1e-6);
  EXPECT_EQ(evaluation.value, evaluation.mean_loss);
  EXPECT_TRUE(evaluation.per_class.empty());
  EXPECT_NEAR(evaluation.mean_cosine.value(),
              torch::cosine_similarity(output, target, 1).mean().item<double>(), 1e-6);
  const auto one = evaluate(module, TensorDataset({output.slice(1, 0, 1)}, target.slice(1, 0, 1)));
  EXPECT_FALSE(one.mean_cosine) << "of one number it is its sign";
}

// One character model in two layouts: classes along dimension 1, and along the last.
TEST(Evaluate, ClassesMayBeTheLastDimension) {
  auto module = make_identity();
  torch::manual_seed(1);
  const auto second = torch::randn({5, 4, 7});
  const auto last = second.movedim(1, -1).contiguous();
  const auto target = torch::randint(4, {5, 7});
  const auto a = evaluate(module, TensorDataset({second}, target), 2);
  const auto b = evaluate(module, TensorDataset({last}, target), 2);
  EXPECT_EQ(a.metric, "accuracy");
  EXPECT_EQ(a.value, b.value);
  EXPECT_NEAR(a.mean_loss, b.mean_loss, 1e-6);
  EXPECT_NEAR(b.mean_loss,
              torch::cross_entropy_loss(last.flatten(0, 1), target.flatten()).item<double>(), 1e-6);
  EXPECT_EQ(a.per_class.size(), 4U);
}

TEST(Evaluate, KeepsWhatEachExampleGives) {
  auto module = make_identity();
  torch::manual_seed(1);
  const auto logits = torch::randn({7, 3, 2});
  const auto target = torch::randint(3, {7, 2});
  const auto evaluation = evaluate(module, TensorDataset({logits}, target), 3);
  ASSERT_EQ(evaluation.example_values.sizes(), torch::IntArrayRef({7}));
  EXPECT_NEAR(evaluation.example_values.mean().item<double>(), evaluation.value, 1e-4);
  EXPECT_NEAR(evaluation.example_losses.mean().item<double>(), evaluation.mean_loss, 1e-6);
  for (std::int64_t i = 0; i < 7; ++i) {
    const auto right = (logits[i].argmax(0) == target[i]).to(torch::kFloat32).mean();
    EXPECT_EQ(evaluation.example_values[i].item<double>(), 100.0 * right.item<double>());
    EXPECT_NEAR(evaluation.example_losses[i].item<double>(),
                torch::cross_entropy_loss(logits[i].t(), target[i]).item<double>(), 1e-6);
  }
}

// scipy 1.17.1: d = [0, 100, -100, 100, 0, 100, 0, 0]; stats.t.interval(0.95, 7, d.mean(),
// stats.sem(d)) is 25 -+ 59.11560
TEST(Evaluate, PairedDifference) {
  Evaluation a;
  Evaluation b;
  a.example_values = torch::tensor({100.0F, 100.0F, 0.0F, 100.0F, 0.0F, 100.0F, 100.0F, 0.0F});
  b.example_values = torch::tensor({100.0F, 0.0F, 100.0F, 0.0F, 0.0F, 0.0F, 100.0F, 0.0F});
  const auto interval = paired_difference(a, b);
  EXPECT_EQ(interval.count, 8);
  EXPECT_NEAR(interval.mean, 25.0, 1e-12);
  EXPECT_NEAR(interval.half_width, 59.1156062898196, 1e-9);
  b.example_values = b.example_values.slice(0, 0, 4);
  EXPECT_THROW(paired_difference(a, b), UsageError);
  EXPECT_THROW(paired_difference(a, {}), UsageError);
}

TEST(Evaluate, ADropIsPositiveWhereItIsWorse) {
  EXPECT_EQ(drop({.metric = "accuracy", .value = 90.0}, {.metric = "accuracy", .value = 88.5}),
            1.5);
  EXPECT_EQ(drop({.metric = "mse", .value = 0.5}, {.metric = "mse", .value = 0.75}), 0.25);
}

TEST(Evaluate, RestoresTheModeOfEverySubmodule) {
  auto part = make_identity();
  torch::jit::Module module("__torch__.top");
  module.register_attribute("training", c10::BoolType::get(), true);
  module.register_module("part", part);
  module.define("def forward(self, x):\n  return self.part.forward(x)\n");
  part.setattr("training", false);
  evaluate(module, TensorDataset({torch::ones({2, 2})}, torch::ones({2, 2})));
  EXPECT_TRUE(module.is_training());
  EXPECT_FALSE(part.is_training());
  part.setattr("training", true);
  EXPECT_EQ(evaluate(module, TensorDataset({torch::ones({2, 2})}, torch::ones({2, 2}))).value, 0.0);
  EXPECT_TRUE(part.is_training());
  // After an exception too.
  EXPECT_THROW(evaluate(module, TensorDataset({torch::ones({2, 2})}, {})), UsageError);
  EXPECT_TRUE(part.is_training());
}

TEST(Evaluate, MessagesSayWhatDoesNotFit) {
  const auto logits = torch::ones({4, 3});
  EXPECT_NE(usage_error(logits, {}).find("target"), std::string::npos);
  EXPECT_NE(usage_error(logits, torch::full({4}, 3, torch::kInt64)).find("class 3"),
            std::string::npos);
  EXPECT_NE(usage_error(logits, torch::ones({4, 1})).find("[4, 1]"), std::string::npos);
  EXPECT_NE(usage_error(logits, torch::ones({4}, torch::kBool)).find("bool"), std::string::npos);
}

// The largest of NaN is the first NaN, which is no prediction.
TEST(Evaluate, NaNPredictsNoClass) {
  auto module = make_identity();
  auto logits = torch::eye(3);
  const auto target = torch::arange(3);
  logits[0][2] = std::nan("");
  const auto some = evaluate(module, TensorDataset({logits}, target));
  EXPECT_NEAR(some.value, 200.0 / 3.0, 1e-9);
  EXPECT_EQ(some.example_values[0].item<float>(), 0.0F);
  const auto none = evaluate(module, TensorDataset({logits * std::nan("")}, target));
  EXPECT_TRUE(std::isnan(none.value));
  EXPECT_TRUE(std::isnan(drop(none, none)));

  EXPECT_EQ(doubt_numbers(some), "the outputs of 1 of 3 examples hold NaN; the first is example 0");
  EXPECT_THROW(doubt_numbers(none), FileError);
  EXPECT_EQ(doubt_numbers(evaluate(module, TensorDataset({torch::eye(3)}, target))), "");
}

}  // namespace
}  // namespace actswap
