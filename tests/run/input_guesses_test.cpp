// Inputs that nobody gives: from what the file and the code say.
#include <actswap/export/find_probe.h>
#include <actswap/export/self_test.h>
#include <actswap/run/input_guesses.h>
#include <actswap/run/probe.h>

#include <gtest/gtest.h>
#include <torch/script.h>

#include "models.h"

namespace actswap {
namespace {

using Shape = std::vector<std::int64_t>;

torch::jit::Module model_of(const std::vector<std::pair<std::string, torch::Tensor>>& weights,
                            const std::string& code) {
  torch::jit::Module module("m");
  for (const auto& [name, tensor] : weights) {
    module.register_parameter(name, tensor, false);
  }
  module.define(code);
  return module;
}

TEST(GuessProbe, TakesWhatTheTraceRecorded) {
  // No size in the code says that an image has to be 40 x 24.
  const auto module = model_of({{"w", torch::ones({4, 3, 3, 3})}, {"head", torch::ones({2, 3344})}},
                               "def forward(self, x, scale):\n"
                               "  x = torch.silu(torch.conv2d(x, self.w))\n"
                               "  return torch.linear(x.flatten(1), self.head) * scale\n");
  EXPECT_TRUE(guess_probe(module).inputs.empty());
  const auto probe =
      guess_probe(module, {{.argument = 0, .sizes = {2, 3, 40, 24}, .storage = "FloatStorage"},
                           {.argument = 1, .sizes = {}, .storage = "DoubleStorage"}});
  ASSERT_EQ(probe.inputs.size(), 2U);
  EXPECT_EQ(probe.inputs[0].sizes(), (Shape{2, 3, 40, 24}));
  EXPECT_EQ(probe.inputs[1].scalar_type(), torch::kFloat64);
  EXPECT_EQ(probe.origin, "recorded by the trace");
  EXPECT_EQ(shapes_in_words(probe.inputs), "2x3x40x24:float32, 1:float64");
}

// A file may say anything.
TEST(GuessProbe, PassesOverRecordedInputsThatDoNotFit) {
  const auto module =
      model_of({{"w", torch::ones({4, 6})}},
               "def forward(self, x):\n  return torch.silu(torch.linear(x, self.w))\n");
  for (const RecordedInput& input :
       {RecordedInput{.sizes = {2, 5}, .storage = "FloatStorage"},
        RecordedInput{.sizes = {1 << 30, 1 << 30, 6}, .storage = "FloatStorage"},
        RecordedInput{.sizes = {-1, 6}, .storage = "FloatStorage"},
        RecordedInput{.sizes = {2, 6}, .storage = "NoStorage"},
        RecordedInput{.argument = 7, .sizes = {2, 6}, .storage = "FloatStorage"}}) {
    const auto probe = guess_probe(module, {input});
    ASSERT_EQ(probe.inputs.size(), 1U);
    EXPECT_EQ(probe.inputs[0].sizes(), (Shape{2, 6}));
    EXPECT_EQ(probe.origin, "guessed from the layers that read them");
  }
}

TEST(GuessProbe, DrawsIntegersForTheTableThatTheyAreLookedUpIn) {
  const auto module = model_of({{"table", torch::ones({5, 6})}, {"w", torch::ones({4, 6})}},
                               "def forward(self, ids, mask):\n"
                               "  h = torch.embedding(self.table, ids) * mask.unsqueeze(-1)\n"
                               "  return torch.silu(torch.linear(h, self.w))\n");
  const auto probe = guess_probe(module);
  ASSERT_EQ(probe.inputs.size(), 2U);
  EXPECT_EQ(probe.inputs[0].scalar_type(), torch::kInt64);
  EXPECT_EQ(probe.inputs[0].sizes(), probe.inputs[1].sizes());
  EXPECT_LT(probe.inputs[0].max().item<std::int64_t>(), 5);
}

TEST(GuessProbe, FindsADict) {
  const auto module = model_of({{"table", torch::ones({5, 6})}},
                               "def forward(self, d: Dict[str, Tensor]):\n"
                               "  h = torch.embedding(self.table, d['ids'])\n"
                               "  return torch.silu(h * d['mask'].unsqueeze(-1))\n");
  EXPECT_EQ(guess_probe(module).inputs.size(), 2U);
}

TEST(GuessProbe, TriesTheSizesThatTheCodeNames) {
  const auto module = model_of({{"w", torch::ones({4, 3, 3, 3})}},
                               "def forward(self, x):\n"
                               "  assert x.size(2) == 72 and x.size(3) == 72\n"
                               "  return torch.silu(torch.conv2d(x, self.w))\n");
  EXPECT_EQ(guess_probe(module).inputs.at(0).sizes(), (Shape{2, 3, 72, 72}));
}

TEST(GuessProbe, GoesOnToOneExample) {
  const auto module = model_of({{"w", torch::ones({4, 6})}},
                               "def forward(self, x):\n"
                               "  return torch.silu(torch.linear(x, self.w).view([1, 4]))\n");
  EXPECT_EQ(guess_probe(module).inputs.at(0).sizes(), (Shape{1, 6}));
}

TEST(GuessProbe, EndsAfterSoManyGuesses) {
  std::size_t guesses = 0;
  const auto module =
      model_of({}, "def forward(self, a, b, c, d):\n  return torch.silu(a + b + c + d)\n");
  guess_inputs(module, {}, [&](const InputGuess&) {
    ++guesses;
    return false;
  });
  EXPECT_LE(guesses, kMostGuesses);
}

TEST(GuessProbe, FindsShapesThatRun) {
  for (const char* name :
       {"scripted_module", "tied", "half", "double", "two_inputs", "encoder", "frozen"}) {
    const auto model = load(test_model(std::string(name) + ".pt")).module;
    const auto inputs = guess_probe(model).inputs;
    ASSERT_EQ(inputs.size(), argument_names(model).size()) << name;
    EXPECT_NO_THROW(outputs_of(model, inputs)) << name;
  }
}

// Nothing can be drawn from no rows.
TEST(GuessProbe, PassesOverParametersWithoutElements) {
  torch::jit::Module module("m");
  module.register_parameter("none", torch::zeros({0, 4}), false);
  module.register_parameter("w", torch::ones({3, 5}), false);
  module.define("def forward(self, x):\n  return torch.silu(torch.linear(x, self.w))\n");
  EXPECT_EQ(guess_probe(module).inputs.at(0).size(1), 5);
}

TEST(FindProbe, TakesTheSelfTestOfTheFile) {
  auto model = load(test_model("two_inputs.pt"));
  const auto inputs = recorded("two_inputs").inputs;
  Probe probe{.inputs = inputs};
  model.extra_files[kSelfTestFile] = pack_self_test(probe);
  const auto found = find_probe(model.module, model);
  EXPECT_TRUE(found.is_data) << "they may be somebody's";
  ASSERT_EQ(found.probe.inputs.size(), inputs.size());
  EXPECT_TRUE(torch::equal(found.probe.inputs[0], inputs[0]));
  model.extra_files[kSelfTestFile] = "damaged";
  EXPECT_FALSE(find_probe(model.module, model).is_data);
}

}  // namespace
}  // namespace actswap
