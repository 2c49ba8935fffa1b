#include <actswap/calibrate/batch_norm.h>
#include <actswap/calibrate/calibrate.h>
#include <actswap/graph/retarget.h>

#include <torch/script.h>
#include <torch/utils.h>

#include <gtest/gtest.h>

#include "models.h"

namespace actswap {
namespace {

BatchNorm some_norm() {
  BatchNorm norm;
  norm.weight = torch::randn({5});
  norm.bias = torch::randn({5});
  norm.running_mean = torch::randn({5});
  norm.running_var = torch::rand({5}) + 0.5;
  norm.eps = 1e-3;
  return norm;
}

torch::Tensor in_eval(const BatchNorm& norm, const torch::Tensor& x) {
  return torch::batch_norm(x, norm.weight, norm.bias, norm.running_mean, norm.running_var, false,
                           0.1, norm.eps, false);
}

TEST(BatchNorm, ReEstimatedItComputesTheSame) {
  torch::manual_seed(1);
  const auto norm = some_norm();
  const auto x = 3.0 * torch::randn({40, 5, 4}) + 2.0;
  const auto expected = in_eval(norm, x);
  BatchStatistics statistics;
  statistics.add(x.narrow(0, 0, 13));
  statistics.add(x.narrow(0, 13, 27));
  re_estimate(norm, statistics);
  EXPECT_LT((in_eval(norm, x) - expected).abs().max().item<double>(), 1e-5);
  const auto [variance, mean] = torch::var_mean(x.to(torch::kDouble), {0, 2});
  EXPECT_TRUE(torch::allclose(norm.running_mean, mean.to(torch::kFloat), 1e-5));
  EXPECT_TRUE(torch::allclose(norm.running_var, variance.to(torch::kFloat), 1e-5));
}

TEST(BatchNorm, AChannelThatDoesNotVaryStaysFinite) {
  torch::manual_seed(2);
  const auto norm = some_norm();
  auto x = torch::randn({6, 5});
  x.select(1, 2).fill_(7.0);
  const auto expected = in_eval(norm, x);
  BatchStatistics statistics;
  statistics.add(x);
  re_estimate(norm, statistics);
  EXPECT_LT((in_eval(norm, x) - expected).abs().max().item<double>(), 1e-4);
}

TEST(BatchNorm, ItsOutputIsScaled) {
  torch::manual_seed(3);
  const auto norm = some_norm();
  const auto x = torch::randn({6, 5, 2});
  const auto factor = torch::rand({5, 1});
  const auto offset = torch::randn({5, 1});
  const auto expected = factor * in_eval(norm, x) + offset;
  scale_output(norm, factor.flatten(), offset.flatten());
  EXPECT_LT((in_eval(norm, x) - expected).abs().max().item<double>(), 1e-5);
}

// Otherwise the first step of training would find another model than the one that was calibrated.
TEST(BatchNorm, TrainingBeginsAtTheCalibratedModel) {
  auto model = load(test_model("scripted_module.pt"));
  torch::manual_seed(4);
  const std::vector<torch::Tensor> inputs = {torch::randn({512, 3, 8, 8})};
  model.module.train();
  for (int i = 0; i < 100; ++i) {  // until the statistics are those of the inputs
    run_model(model.module, inputs);
  }
  model.module.eval();
  Retargeter swap(model, plan(model, {.to = "relu"}));
  const auto result = calibrate(swap.module(), {inputs}, CalibrationOptions());
  EXPECT_EQ(result.batch_norms, (std::vector<std::string>{"cells.0.norm", "cells.1.norm"}));
  swap.module().eval();
  const auto expected = run_model(swap.module(), inputs)[0];
  swap.module().train();
  // The batch's variance is without Bessel's correction, of 1 in 32768 here.
  EXPECT_LT(largest_difference(run_model(swap.module(), inputs), {expected}),
            1e-3 * expected.abs().max().item<double>());
}

// Behind a sum that no layer makes up for.
TEST(BatchNorm, WithoutALayerBeforeItItIsFittedItself) {
  const auto unit = std::make_shared<torch::jit::CompilationUnit>();
  torch::jit::Module module(c10::QualifiedName("__torch__.Sum"), unit, true);
  torch::manual_seed(5);
  module.register_parameter("matrix", torch::randn({6, 4}), false);
  module.register_parameter("factor", torch::rand({6}) + 0.5, false);
  module.register_parameter("offset", torch::randn({6}), false);
  module.register_buffer("mean", torch::ones({6}));
  module.register_buffer("var", torch::rand({6}) + 0.5);
  module.define(
      "def forward(self, x):\n"
      "    y = torch.linear(x, self.matrix)\n"
      "    z = y * 0.5 + torch.mish(y)\n"
      "    return torch.batch_norm(z, self.factor, self.offset, self.mean, self.var, False, 0.1,\n"
      "                            1e-5, False)\n");
  const auto model = adopt(module);
  Retargeter swap(model, plan(model, {.to = "relu"}));
  const auto result = calibrate(swap.module(), {{torch::randn({256, 4})}, {torch::randn({256, 4})}},
                                CalibrationOptions());
  ASSERT_EQ(result.layers.size(), 1U);
  EXPECT_EQ(result.layers[0].name, "factor");
  EXPECT_LT(result.layers[0].error_after, 0.8 * result.layers[0].error_before);
  EXPECT_EQ(result.batch_norms, (std::vector<std::string>{"factor"}));
}

}  // namespace
}  // namespace actswap
