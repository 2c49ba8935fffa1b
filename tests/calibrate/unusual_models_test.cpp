// Models of other shapes and precisions than the usual: branches, batches of one, masks.
#include <actswap/base/error.h>
#include <actswap/calibrate/calibrate.h>
#include <actswap/data/dataset.h>
#include <actswap/graph/retarget.h>

#include <torch/script.h>
#include <torch/utils.h>

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "calibrate/names.h"
#include "calibrate/written.h"
#include "models.h"

namespace actswap {
namespace {

using Strings = std::vector<std::string>;
using Batches = std::vector<std::vector<torch::Tensor>>;

const Shapes kTwoLinearLayers = {{"a", {12, 6}}, {"b", {12}}, {"c", {4, 12}}, {"d", {4}}};

double error_where_finite(const Model& model, Retargeter& swap,
                          const std::vector<torch::Tensor>& inputs) {
  const auto expected = outputs_of(model.module, inputs).at(0).to(torch::kDouble);
  const auto found = outputs_of(swap.module(), inputs).at(0).to(torch::kDouble);
  return torch::nan_to_num(found - expected).square().mean().item<double>();
}

double error_of_swap(const Model& model, const std::vector<torch::Tensor>& inputs) {
  Retargeter plain(model, plan(model, {}));
  plain.set_blend(1.0);
  return error_where_finite(model, plain, inputs);
}

Batches some_batches(const std::vector<std::int64_t>& shape, int count = 8) {
  torch::manual_seed(6);
  Batches batches;
  for (int i = 0; i < count; ++i) {
    batches.push_back({torch::randn(shape)});
  }
  return batches;
}

// A module decides at run time, within another decision, between two ways to compute the same. The
// one without a gradient is not what the calibration goes through.
TEST(Branches, WhatAllInputsTakeIsFitted) {
  const auto model =
      adopt(written("TwoWays", kTwoLinearLayers,
                    "    if x.dim() == 2:\n"
                    "        if torch.is_grad_enabled():\n"
                    "            y = torch.mish(torch.linear(x, self.a, self.b))\n"
                    "            z = torch.linear(y, self.c, self.d)\n"
                    "        else:\n"
                    "            y = torch.mish(torch.addmm(self.b, x, self.a.t()))\n"
                    "            z = torch.linear(y, self.c, self.d)\n"
                    "    else:\n"
                    "        z = torch.linear(torch.relu(x), self.a)\n"
                    "    return z\n"));
  Retargeter swap(model, plan(model, {}));
  const auto result = calibrate(swap.module(), some_batches({64, 6}), {});
  EXPECT_EQ(names(result.layers), Strings{"c"});
  ASSERT_EQ(result.sites.size(), 1U);
  EXPECT_EQ(result.sites[0].producer, "a");
  EXPECT_GT(result.joint.error_before, 0.0) << result.joint.reason;
  ASSERT_EQ(result.left_out.size(), 1U);
  EXPECT_NE(result.left_out[0].find("do not take"), std::string::npos) << result.left_out[0];
  torch::manual_seed(7);
  const std::vector<torch::Tensor> unseen = {torch::randn({64, 6})};
  EXPECT_LT(error_where_finite(model, swap, unseen), 0.3 * error_of_swap(model, unseen));
  for (const auto& parameter : distinct_parameters(swap.module())) {
    EXPECT_FALSE(parameter.requires_grad()) << "as it was before";
  }
}

// Others may take another branch: the joint fit draws none.
TEST(Branches, OtherInputsAreNotDrawn) {
  const auto model = adopt(written("Guarded", kTwoLinearLayers,
                                   "    if x.sum() > -1e6:\n"
                                   "        y = torch.mish(torch.linear(x, self.a, self.b))\n"
                                   "    else:\n"
                                   "        y = torch.relu(torch.linear(x, self.a, self.b))\n"
                                   "    return torch.linear(y, self.c, self.d)\n"));
  torch::manual_seed(6);
  const TensorDataset data({torch::randn({2000, 6})}, {});
  Retargeter swap(model, plan(model, {}));
  const CalibrationOptions options{
      .inputs = 128, .batch_size = 32, .passes = 10, .draws_each_pass = true};
  const auto result = calibrate(swap, data, options);
  EXPECT_EQ(result.sites.size(), 1U);
  EXPECT_EQ(result.joint.inputs, 96) << "three batches of four";
}

TEST(Branches, WhereInputsDifferBothStay) {
  const auto model = adopt(written("ByValue", kTwoLinearLayers,
                                   "    if x.sum() > 0.0:\n"
                                   "        y = torch.mish(torch.linear(x, self.a, self.b))\n"
                                   "    else:\n"
                                   "        y = torch.relu(torch.linear(x, self.a, self.b))\n"
                                   "    return torch.linear(y, self.c, self.d)\n"));
  Retargeter swap(model, plan(model, {}));
  const auto result =
      calibrate(swap.module(), {{torch::ones({32, 6})}, {-torch::ones({32, 6})}}, {});
  EXPECT_EQ(result.sites.size(), 0U);
  ASSERT_GE(result.left_out.size(), 1U);
  EXPECT_NE(result.left_out.back().find("does not run in every pass"), std::string::npos);
}

// The fused layer of nn.TransformerEncoderLayer, or its parts: by whether there are gradients.
TEST(Branches, AnEncoderIsFitted) {
  const auto model = load(test_model("encoder.pt"));
  const auto shape = recorded("encoder").inputs[0].sizes().vec();
  auto batches = some_batches({32, shape[1], shape[2]}, 16);
  const auto unseen = batches.back();
  batches.pop_back();
  Retargeter swap(model, plan(model, {}));
  const auto result = calibrate(swap.module(), batches, {});
  EXPECT_EQ(names(result.layers), (Strings{"0.linear2", "1.self_attn", "1.self_attn.out_proj",
                                           "1.linear1", "1.linear2"}));
  ASSERT_EQ(result.sites.size(), 2U);
  EXPECT_EQ(result.sites[0].producer, "0.linear1");
  EXPECT_EQ(result.sites[1].producer, "1.linear1");
  EXPECT_EQ(result.joint.reason, "");
  EXPECT_LT(error_where_finite(model, swap, unseen), 0.5 * error_of_swap(model, unseen));
}

// With a last batch of one, the model would give values of another shape.
TEST(Unusual, AModelThatSqueezesItsBatch) {
  const auto model = adopt(written(
      "Squeezes", {{"a", {8, 3, 3, 3}}, {"b", {8}}, {"c", {4, 8}}, {"d", {4}}},
      "    y = torch.mish(torch.conv2d(x, self.a, self.b))\n"
      "    return torch.linear(torch.adaptive_avg_pool2d(y, [1, 1]).squeeze(), self.c, self.d)\n"));
  torch::manual_seed(6);
  const TensorDataset data({torch::randn({65, 3, 6, 6})}, {});
  Retargeter swap(model, plan(model, {}));
  const auto result = calibrate(swap, data, {});
  EXPECT_EQ(result.inputs, 65);
  EXPECT_EQ(names(result.layers), Strings{"c"});
  const std::vector<torch::Tensor> unseen = {torch::randn({64, 3, 6, 6})};
  EXPECT_LT(error_where_finite(model, swap, unseen), 0.5 * error_of_swap(model, unseen));
}

// -inf - -inf is no number, but both are the same: the calibration is judged by the rest, and kept.
TEST(Unusual, MaskedOutputs) {
  const auto model =
      adopt(written("Masked", kTwoLinearLayers,
                    "    y = torch.linear(torch.mish(torch.linear(x, self.a, self.b)),\n"
                    "                     self.c, self.d)\n"
                    "    mask = torch.tensor([False, False, False, True])\n"
                    "    return y.masked_fill(mask, -float('inf'))\n"));
  Retargeter swap(model, plan(model, {}));
  const auto result = calibrate(swap.module(), some_batches({64, 6}), {});
  EXPECT_EQ(names(result.layers), Strings{"c"});
  EXPECT_EQ(result.left_out, Strings{});
  torch::manual_seed(7);
  const std::vector<torch::Tensor> unseen = {torch::randn({64, 6})};
  EXPECT_LT(error_where_finite(model, swap, unseen), 0.3 * error_of_swap(model, unseen));
}

// A sum with a mask, in which the layer is compared.
TEST(Unusual, AMaskThatIsAdded) {
  const auto model = adopt(written("Added", kTwoLinearLayers,
                                   "    mask = torch.zeros([x.size(0), 4])\n"
                                   "    mask[:, 3] = -float('inf')\n"
                                   "    y = torch.mish(torch.linear(x, self.a, self.b))\n"
                                   "    return torch.linear(y, self.c, self.d) + mask\n"));
  Retargeter swap(model, plan(model, {}));
  const auto result = calibrate(swap.module(), some_batches({64, 6}), {});
  ASSERT_EQ(names(result.layers), Strings{"c"});
  EXPECT_LT(result.layers[0].error_after, 0.5 * result.layers[0].error_before);
  EXPECT_EQ(result.left_out, Strings{});
}

// 0 / 0 for one input: what is fitted to it is no number either.
TEST(Unusual, AnInputThatGivesNoNumber) {
  const auto model =
      adopt(written("Quotient", kTwoLinearLayers,
                    "    y = torch.mish(torch.linear(x, self.a, self.b))\n"
                    "    y = y / x.abs().sum(1, keepdim=True) * x.abs().sum(1, keepdim=True)\n"
                    "    return torch.linear(y, self.c, self.d)\n"));
  Retargeter swap(model, plan(model, {}));
  auto batches = some_batches({64, 6});
  batches[0][0][3].zero_();
  const auto weight = swap.module().attr("c").toTensor().clone();
  const auto result = calibrate(swap.module(), batches, {});
  EXPECT_TRUE(swap.module().attr("c").toTensor().equal(weight));
  ASSERT_FALSE(result.left_out.empty());
  EXPECT_NE(result.left_out.back().find("no finite number"), std::string::npos)
      << testing::PrintToString(result.left_out);
}

TEST(Unusual, OtherPrecisions) {
  const std::string code =
      "    y = torch.mish(torch.linear(x, self.a, self.b))\n"
      "    return torch.linear(y, self.c, self.d)\n";
  for (const auto type : {torch::kHalf, torch::kBFloat16, torch::kDouble}) {
    auto module = written("Precision", kTwoLinearLayers, code);
    module.to(type);
    const auto model = adopt(module);
    auto batches = some_batches({64, 6}, 16);
    for (auto& batch : batches) {
      batch[0] = batch[0].to(type);
    }
    const auto unseen = batches.back();
    batches.pop_back();
    std::vector<double> errors;
    for (const std::int64_t passes : {0, 20}) {
      Retargeter swap(model, plan(model, {}));
      CalibrationOptions options;
      options.passes = passes;
      const auto result = calibrate(swap.module(), batches, options);
      EXPECT_EQ(result.joint.reason, "");
      EXPECT_EQ(result.left_out, Strings{});
      EXPECT_EQ(swap.module().attr("c").toTensor().scalar_type(), type);
      errors.push_back(error_where_finite(model, swap, unseen));
    }
    EXPECT_LT(errors[0], 0.3 * error_of_swap(model, unseen)) << type;
    EXPECT_LT(errors[1], 1.2 * errors[0]) << type << ": the joint fit does no harm";
  }
}

TEST(Unusual, BatchesOfOneAndNoDimensionOfExamples) {
  const auto model = adopt(written(
      "Mean", kTwoLinearLayers,
      "    y = torch.mish(torch.linear(x.mean(0), self.a, self.b))\n"
      "    return torch.linear(torch.relu(torch.linear(y, self.c, self.d)), self.c[:, :4])\n"));
  Retargeter swap(model, plan(model, {}));
  EXPECT_NO_THROW(calibrate(swap.module(), some_batches({1, 6}), {}));
  const auto usual = adopt(written("Usual", kTwoLinearLayers,
                                   "    y = torch.mish(torch.linear(x, self.a, self.b))\n"
                                   "    return torch.linear(y, self.c, self.d)\n"));
  Retargeter single(usual, plan(usual, {}));
  EXPECT_EQ(calibrate(single.module(), some_batches({1, 6}), {}).inputs, 8);
  Retargeter alone(usual, plan(usual, {}));
  EXPECT_EQ(calibrate(alone, TensorDataset({torch::randn({1, 6})}, {}), {}).inputs, 1);
  EXPECT_THROW(calibrate(alone.module(), {{torch::zeros({0, 6})}}, {}), UsageError);
}

// Its methods may be called as well, and nothing that looks at forward sees what they read.
TEST(Methods, LayersThatOthersReadStay) {
  auto module = written("Methods", {{"a", {12, 6}}, {"b", {12}}, {"c", {4, 12}}, {"e", {2, 12}}},
                        "    y = torch.mish(torch.linear(x, self.a, self.b))\n"
                        "    return torch.linear(y, self.c)\n");
  module.define("def pre(self, x):\n    return torch.linear(x, self.a, self.b)\n");
  const auto model = adopt(module);
  Retargeter swap(model, plan(model, {}));
  const auto result = calibrate(swap.module(), some_batches({64, 6}), {});
  EXPECT_EQ(names(result.layers), Strings{"c"});
  EXPECT_TRUE(torch::equal(swap.module().attr("a").toTensor(), module.attr("a").toTensor()));
  EXPECT_TRUE(torch::equal(swap.module().attr("b").toTensor(), module.attr("b").toTensor()));
  const std::vector<torch::Tensor> unseen = {torch::randn({64, 6})};
  EXPECT_LT(error_where_finite(model, swap, unseen), error_of_swap(model, unseen));
}

TEST(Memory, TensorsThatShareItStay) {
  auto module = written("Views", kTwoLinearLayers,
                        "    y = torch.mish(torch.linear(x, self.a, self.b))\n"
                        "    return torch.linear(y, self.c, self.d)\n");
  module.register_buffer("first", module.attr("b").toTensor().detach().slice(0, 0, 3));
  const auto model = adopt(module);
  Retargeter swap(model, plan(model, {}));
  calibrate(swap.module(), some_batches({64, 6}), {});
  EXPECT_TRUE(
      torch::equal(swap.module().attr("first").toTensor(), module.attr("first").toTensor()));
}

TEST(Numbers, AFitThatIsNotFiniteIsUndone) {
  const auto model = adopt(written("Large", kTwoLinearLayers,
                                   "    y = torch.mish(torch.linear(x, self.a, self.b))\n"
                                   "    return torch.linear(y, self.c, self.d)\n"));
  Retargeter swap(model, plan(model, {}));
  calibrate(swap.module(), Batches(8, {torch::full({32, 6}, 3.4e38)}), {});
  for (const auto& parameter : distinct_parameters(swap.module())) {
    EXPECT_TRUE(parameter.isfinite().all().item<bool>());
  }
}

}  // namespace
}  // namespace actswap
