#include <actswap/base/error.h>
#include <actswap/graph/gradients.h>
#include <actswap/run/model_run.h>
#include <actswap/run/probe.h>
#include <actswap/run/random_numbers.h>

#include <gtest/gtest.h>
#include <torch/script.h>
#include <torch/utils.h>

#include "models.h"

namespace actswap {
namespace {

torch::jit::Module make(const std::string& code) {
  const auto unit = std::make_shared<torch::jit::CompilationUnit>();
  return make_module(unit, "m", "def forward(self, x: Tensor):\n" + code);
}

const auto kInput = torch::linspace(-2, 2, 6);

torch::Tensor only(const Outputs& outputs) {
  EXPECT_EQ(outputs.size(), 1U);
  return outputs.at(0).value.toTensor();
}

// LibTorch's interpreter loses v in the graph as it is.
TEST(ModelRun, RunsWhatRunsOptimisedOnly) {
  const std::string loop =
      "  v = torch.tanh(x)\n  w = v\n  for i in range(3):\n    w = w + v.contiguous().mean()\n";
  const auto module = make(loop + "  a = v + w.mean()\n" + loop + "  return a + v + w.mean()\n");
  const auto optimised = only(ModelRun(module)({kInput}));
  EXPECT_TRUE(
      torch::allclose(only(ModelRun(module, {.optimizes_graphs = false})({kInput})), optimised));
}

// Buffers, attributes, lists, modes, inputs, and what the caller draws afterwards.
TEST(ModelRun, LeavesNoTrace) {
  const auto unit = std::make_shared<torch::jit::CompilationUnit>();
  auto module = make_module(unit, "m", "def unused(self) -> int:\n  return 0\n");
  module.register_attribute("count", c10::IntType::get(), 3);
  module.register_attribute("sizes", c10::ListType::ofInts(), c10::List<std::int64_t>({7}));
  module.register_buffer("calls", torch::zeros({1}));
  module.define(
      "def forward(self, x: Tensor):\n"
      "  self.calls.add_(1.0)\n"
      "  self.sizes.append(3)\n"
      "  self.count = self.count + 1\n"
      "  x.add_(torch.rand_like(x))\n"
      "  return self.calls, self.count, len(self.sizes), self.training\n");
  const auto input = kInput.clone();
  torch::manual_seed(3);
  const auto drawn = torch::rand({2});
  torch::manual_seed(3);
  ModelRun run(module);
  for (int i = 0; i < 2; ++i) {  // each run begins with the same state
    const auto outputs = run({input});
    EXPECT_EQ(outputs.at(0).value.toTensor().item<float>(), 1.0F) << "a copy of the buffer";
    EXPECT_EQ(outputs.at(1).value.toInt(), 4);
    EXPECT_EQ(outputs.at(2).value.toInt(), 2);
    EXPECT_FALSE(outputs.at(3).value.toBool()) << "runs are in eval mode";
  }
  EXPECT_EQ(module.attr("calls").toTensor().item<float>(), 0.0F);
  EXPECT_EQ(module.attr("count").toInt(), 3);
  EXPECT_EQ(module.attr("sizes").toIntVector(), std::vector<std::int64_t>{7});
  EXPECT_TRUE(module.is_training());
  EXPECT_TRUE(torch::equal(input, kInput));
  EXPECT_TRUE(torch::equal(torch::rand({2}), drawn));
  EXPECT_TRUE(torch::GradMode::is_enabled());
}

TEST(ModelRun, LeavesNoTraceWhereTheModelFails) {
  const auto unit = std::make_shared<torch::jit::CompilationUnit>();
  auto module = make_module(unit, "m", "def unused(self) -> int:\n  return 0\n");
  module.register_buffer("calls", torch::zeros({1}));
  module.define("def forward(self, x: Tensor):\n  self.calls.add_(1.0)\n  return torch.mm(x, x)\n");
  ModelRun run(module);
  EXPECT_THROW(run({kInput}), UsageError);
  EXPECT_EQ(module.attr("calls").toTensor().item<float>(), 0.0F);
  EXPECT_TRUE(module.is_training());
}

TEST(ModelRun, DrawsTheSameRandomNumbersForTheSameSeed) {
  ModelRun noisy(make("  return x + torch.randn_like(x)\n"));
  ModelRun dropout(make("  return torch.dropout(x, 0.5, True)\n"));
  for (auto* run : {&noisy, &dropout}) {
    const auto first = only((*run)({kInput}, 1));
    torch::rand({5});
    EXPECT_TRUE(torch::equal(only((*run)({kInput}, 1)), first));
    EXPECT_FALSE(torch::equal(only((*run)({kInput}, 2)), first));
    EXPECT_TRUE(run->is_random());
  }
  ModelRun plain(make("  return torch.dropout(x, 0.5, self.training)\n"));
  plain({kInput});
  EXPECT_FALSE(plain.is_random()) << "dropout is off in eval mode";
}

// d/dx sum x^3 = 3 x^2
TEST(ModelRun, GradientsAreOnWhereTheModelTakesSome) {
  auto module = make(
      "  x = x.detach().requires_grad_(True)\n"
      "  g = torch.grad([(x * x * x).sum()], [x])[0]\n"
      "  assert g is not None\n"
      "  return g\n");
  EXPECT_TRUE(takes_gradients(module));
  ModelRun run(module);
  const torch::NoGradGuard without_gradients;
  const auto gradient = only(run({kInput}));
  EXPECT_TRUE(torch::allclose(gradient, 3.0 * kInput * kInput));
  EXPECT_FALSE(gradient.requires_grad());
  EXPECT_FALSE(torch::GradMode::is_enabled());
}

TEST(ModelRun, GradientsAreOffOtherwise) {
  auto module = make_module(std::make_shared<torch::jit::CompilationUnit>(), "m",
                            "def unused(self) -> int:\n  return 0\n");
  module.register_parameter("weight", torch::ones({6}), false);
  module.attr("weight").toTensor().requires_grad_(true);
  module.define("def forward(self, x: Tensor):\n  return (x * self.weight).requires_grad\n");
  EXPECT_FALSE(takes_gradients(module));
  EXPECT_FALSE(ModelRun(module)({kInput}).at(0).value.toBool());
}

TEST(ModelRun, SaysWhatTheModelRaised) {
  const auto message = [](const std::string& code) -> std::string {
    try {
      ModelRun(make(code))({kInput});
    } catch (const UsageError& error) {
      return error.what();
    }
    return "";
  };
  const auto asserted = message("  assert x.size(0) == 4, 'four, please'\n  return x\n");
  EXPECT_NE(asserted.find("AssertionError: four, please"), std::string::npos) << asserted;
  EXPECT_EQ(asserted.find("TorchScript interpreter"), std::string::npos) << asserted;
  const auto failed = message("  return torch.mm(x, x)\n");
  EXPECT_NE(failed.find("self must be a matrix"), std::string::npos) << failed;
}

TEST(Probe, RandomModelsAreComparedOnTheSameRandomNumbers) {
  const auto code = "  return x + torch.randn_like(x)\n";
  const auto result = compare_models(make(code), make(code), {kInput}, 0.0);
  EXPECT_TRUE(result.verified) << result.reason;
  EXPECT_TRUE(result.is_random);
  const auto other = "  return 2.0 * x + torch.randn_like(x)\n";
  EXPECT_TRUE(compare_models(make(code), make(other), {kInput}, 1e-5).differs);
  EXPECT_FALSE(compare_models(make("  return x\n"), make("  return x\n"), {kInput}, 0.0).is_random);
}

TEST(Probe, EvidenceIsWhatIsFinite) {
  EXPECT_TRUE(has_evidence(run_probe(make("  return float(x.sum())\n"), {kInput}).outputs));
  EXPECT_FALSE(
      has_evidence(run_probe(make("  return torch.log(-1.0 - x * x)\n"), {kInput}).outputs));
}

TEST(RandomPosition, IsTakenUpAgain) {
  torch::manual_seed(1);
  torch::rand({3});
  const RandomPosition position;
  const auto first = torch::randn({7});
  position.take_up();
  EXPECT_TRUE(torch::equal(torch::randn({7}), first));
}

}  // namespace
}  // namespace actswap
