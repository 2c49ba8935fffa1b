#include <actswap/graph/observe.h>
#include <actswap/run/observed_model.h>

#include <gtest/gtest.h>
#include <torch/script.h>

#include "models.h"

namespace actswap {
namespace {

Model make(const std::string& expression) {
  const auto unit = std::make_shared<torch::jit::CompilationUnit>();
  return adopt(make_module(
      unit, "m",
      "def forward(self, x):\n  y = x + 1.0\n  z = y * 2.0\n  return " + expression + "\n"));
}

struct Seen {
  std::vector<torch::Tensor> before;
  std::vector<torch::Tensor> after;
};

Seen observe(const Model& model, const torch::Tensor& input) {
  ObservedModel observed(model);
  Seen seen;
  SiteObserver observer;
  observer.before = [&](std::size_t, const torch::Tensor& x) { seen.before.push_back(x.clone()); };
  observer.after = [&](std::size_t, const torch::Tensor& x) { seen.after.push_back(x.clone()); };
  observed.run({input}, observer);
  return seen;
}

TEST(Observe, WhatGoesIntoASiteAndWhatComesOut) {
  const auto x = torch::linspace(-3, 3, 9);
  for (const char* expression :
       {"torch.silu(z)", "z * torch.sigmoid(z)", "torch.sigmoid(z).mul_(z)"}) {
    const auto seen = observe(make(expression), x);
    ASSERT_EQ(seen.before.size(), 1U) << expression;
    ASSERT_EQ(seen.after.size(), 1U) << expression;
    EXPECT_TRUE(torch::allclose(seen.before[0], (x + 1) * 2)) << expression;
    EXPECT_TRUE(torch::allclose(seen.after[0], torch::silu((x + 1) * 2))) << expression;
  }
}

// All operators of a hand-written activation stand between the two calls, and no others.
TEST(Observe, AHandWrittenActivationIsTimedAsAWhole) {
  const auto unit = std::make_shared<torch::jit::CompilationUnit>();
  auto module = make_module(unit, "m",
                            "def forward(self, x):\n"
                            "  y = x + 1.0\n"
                            "  return y * torch.tanh(torch.log1p(torch.exp(y))) - 3.0\n");
  const auto root = insert_observers(recompile(module)).root;
  std::vector<std::string> names;
  for (const auto* node : root.get_method("forward").graph()->nodes()) {
    const std::string name = node->kind().toUnqualString();
    if (node->kind() == c10::Symbol::fromQualString("actswap::observe") || node->kind().is_aten()) {
      names.push_back(name);
    }
  }
  EXPECT_EQ(names, (std::vector<std::string>{"add", "observe", "exp", "log1p", "tanh", "mul",
                                             "observe", "sub"}));
}

}  // namespace
}  // namespace actswap
