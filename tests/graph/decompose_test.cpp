// Fused attention taken apart gives what ATen's operator gives, and has a gradient.
#include <actswap/graph/decompose.h>
#include <actswap/graph/model.h>
#include <actswap/graph/normalise.h>
#include <actswap/graph/plan.h>
#include <actswap/graph/retarget.h>

#include <torch/csrc/jit/api/function_impl.h>
#include <torch/script.h>
#include <torch/utils.h>

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "calibrate/written.h"
#include "models.h"

namespace actswap {
namespace {

constexpr std::int64_t kExamples = 4;
constexpr std::int64_t kLength = 5;
constexpr std::int64_t kHeads = 3;
constexpr char kOperator[] = "_native_multi_head_attention";

const Shapes kTensors = {{"w", {36, 12}}, {"b", {36}}, {"pw", {12, 12}}, {"pb", {12}}};

torch::jit::Module fused_attention(const std::string& rest,
                                   const std::string& tensors = "x, x, x") {
  return written("Attention", kTensors,
                 "    return torch._native_multi_head_attention(" + tensors +
                     ", 12, 3, self.w, self.b, self.pw, self.pb, " + rest + ")\n",
                 "x, m: Tensor");
}

torch::jit::Graph& forward_graph(const torch::jit::Module& module) {
  return *torch::jit::toGraphFunction(module.get_method("forward").function()).graph();
}

// The outputs before and after, as forward gives them.
std::pair<c10::IValue, c10::IValue> before_and_after(const std::string& rest,
                                                     const torch::Tensor& mask) {
  torch::manual_seed(3);
  const auto x = torch::randn({kExamples, kLength, 12});
  auto fused = fused_attention(rest);
  auto decomposed = fused_attention(rest);
  decompose_attention(forward_graph(decomposed).block());
  EXPECT_EQ(forward_graph(decomposed).toString().find(kOperator), std::string::npos);
  return {fused.forward({x, mask}), decomposed.forward({x, mask})};
}

void expect_equal(const torch::Tensor& found, const torch::Tensor& expected) {
  ASSERT_EQ(found.sizes(), expected.sizes());
  EXPECT_TRUE(torch::allclose(found, expected, 1e-5, 1e-6, true));  // NaN where all is masked
}

TEST(Decompose, AttentionGivesWhatATenGives) {
  const std::vector<std::pair<std::string, std::vector<std::int64_t>>> kinds = {
      {"0", {kLength, kLength}},
      {"1", {kExamples, kLength}},
      {"2", {kExamples, kHeads, kLength, kLength}},
  };
  for (const auto& [kind, sizes] : kinds) {
    auto mask = torch::rand(sizes) > 0.5;
    mask.select(0, 1).fill_(true);  // everything
    const auto added = torch::zeros(sizes).masked_fill(mask, -INFINITY);
    for (const auto& each : {mask, added}) {
      for (const std::string average : {"True", "False"}) {
        SCOPED_TRACE(kind + " " + average);
        const auto [fused, decomposed] =
            before_and_after("m, True, " + average + ", " + kind, each);
        for (const std::size_t i : {0U, 1U}) {
          expect_equal(decomposed.toTupleRef().elements()[i].toTensor(),
                       fused.toTupleRef().elements()[i].toTensor());
        }
      }
    }
  }
}

TEST(Decompose, AttentionGivesNoWeightsThatNobodyAskedFor) {
  for (const std::string mask : {"None", "m"}) {
    const auto [fused, decomposed] =
        before_and_after(mask + ", False, True, 0", torch::rand({kLength, kLength}) > 0.7);
    expect_equal(decomposed.toTupleRef().elements()[0].toTensor(),
                 fused.toTupleRef().elements()[0].toTensor());
    EXPECT_FALSE(fused.toTupleRef().elements()[1].toTensor().defined());
    EXPECT_TRUE(decomposed.toTupleRef().elements()[1].isNone());
  }
}

TEST(Decompose, AttentionOfSeveralTensorsStays) {
  const auto module = fused_attention("None, False, True, None", "x, m, m");
  decompose_attention(forward_graph(module).block());
  EXPECT_NE(forward_graph(module).toString().find(kOperator), std::string::npos);
}

// Code that makes nested tensors hands them to the fused operator.
TEST(Decompose, AttentionStaysBesideNestedTensors) {
  const auto module = written("Nested", kTensors,
                              "    y = torch._nested_tensor_from_mask(x, m)\n"
                              "    return torch._native_multi_head_attention(y, y, y, 12, 3, "
                              "self.w, self.b, self.pw, self.pb, None, False)[0]\n",
                              "x, m: Tensor");
  EXPECT_NE(forward_graph(normalise(module)).toString().find(kOperator), std::string::npos);
}

// A file that was traced without gradients can be trained all the same.
TEST(Decompose, AttentionHasAGradient) {
  const auto model = load(test_model("decoder_traced.pt"));
  Retargeter swap(model, plan(model, {}));
  std::vector<c10::IValue> inputs;
  for (const auto& input : recorded("decoder_traced").inputs) {
    inputs.emplace_back(input);
  }
  swap.module().forward(inputs).toTensor().square().sum().backward();
  EXPECT_GT(swap.module()
                .attr("self_attn")
                .toModule()
                .attr("in_proj_weight")
                .toTensor()
                .grad()
                .abs()
                .sum()
                .item<double>(),
            0.0);
}

}  // namespace
}  // namespace actswap
