#include <actswap/base/error.h>
#include <actswap/calibrate/calibrate.h>
#include <actswap/calibrate/layers.h>
#include <actswap/data/dataset.h>
#include <actswap/graph/retarget.h>

#include <ATen/record_function.h>
#include <torch/script.h>
#include <torch/utils.h>

#include <gtest/gtest.h>

#include <cmath>

#include "calibrate/names.h"
#include "calibrate/written.h"
#include "models.h"

namespace actswap {
namespace {

using Strings = std::vector<std::string>;
using Batches = std::vector<std::vector<torch::Tensor>>;

Batches batches_like(const std::string& name, std::int64_t examples, std::uint64_t seed) {
  torch::manual_seed(seed);
  Batches batches(2);
  for (auto& batch : batches) {
    for (const auto& input : recorded(name).inputs) {
      auto shape = input.sizes().vec();
      shape[0] = examples / 2;
      batch.push_back(torch::randn(shape).to(input.dtype()));
    }
  }
  return batches;
}

double square_error(const torch::jit::Module& model, const torch::jit::Module& other,
                    const Batches& batches) {
  double sum = 0.0;
  for (const auto& batch : batches) {
    const auto expected = outputs_of(model, batch);
    const auto found = outputs_of(other, batch);
    for (std::size_t i = 0; i < expected.size(); ++i) {
      sum += (expected[i] - found[i]).to(torch::kDouble).square().sum().item<double>();
    }
  }
  return sum;
}

// Every model, on inputs that it was not fitted on: nearer to the original than the swap alone.
TEST(Calibrate, BringsEveryModelNearerToItsOriginal) {
  for (const auto& entry : test_models()) {
    if (entry.sites == 0) {
      continue;
    }
    const auto model = load(entry.path);
    for (const char* target : {"relu", "hard_mish"}) {
      Retargeter swap(model, plan(model, {.to = target}));
      const auto unseen = batches_like(entry.name, 64, 2);
      swap.set_blend(1.0);
      const double before = square_error(model.module, swap.module(), unseen);
      swap.set_blend(0.0);
      const auto result =
          calibrate(swap.module(), batches_like(entry.name, 512, 1), CalibrationOptions());
      EXPECT_EQ(result.inputs, 512) << entry.name;
      const double after = square_error(model.module, swap.module(), unseen);
      // Without a layer behind it each site is brought nearer by itself, and the errors of two that
      // are summed up may still add.
      EXPECT_LT(after, result.layers.empty() ? 1.1 * before : before)
          << entry.name << " to " << target;
      EXPECT_EQ(largest_difference(outputs_of(swap.finish(), unseen[0]),
                                   outputs_of(swap.module(), unseen[0])),
                0.0)
          << entry.name << ": what was fitted is in the export";
    }
  }
}

// Two activations in a row with nothing to fit between them: each may come nearer to what it was
// and the output be farther from it.
TEST(Calibrate, TakesBackWhatDoesHarm) {
  const auto model = load(test_model("indexed.pt"));
  Retargeter swap(model, plan(model, {.to = "hard_mish"}));
  const auto unseen = batches_like("indexed", 64, 2);
  swap.set_blend(1.0);
  const auto swap_alone = outputs_of(swap.module(), unseen[0]);
  swap.set_blend(0.0);
  const auto result =
      calibrate(swap.module(), batches_like("indexed", 512, 1), CalibrationOptions());
  EXPECT_EQ(largest_difference(outputs_of(swap.module(), unseen[0]), swap_alone), 0.0);
  EXPECT_NE(result.left_out.back().find("taken back"), std::string::npos);
  for (const auto& site : result.sites) {
    EXPECT_EQ(site.producer, "");
  }
}

// A backbone that gives the activations of each stage, to a reader that nobody fits.
TEST(Calibrate, BringsReturnedActivationsNearer) {
  const auto model = adopt(
      written("backbone", {{"first", {12, 6}}, {"b1", {12}}, {"second", {12, 12}}, {"b2", {12}}},
              "  y = torch.silu(torch.linear(x, self.first, self.b1))\n"
              "  return y, torch.silu(torch.linear(y, self.second, self.b2))\n"));
  const auto inputs_of = [](std::uint64_t seed) {
    torch::manual_seed(seed);
    Batches batches(8);
    for (auto& batch : batches) {
      batch = {torch::randn({64, 6})};
    }
    return batches;
  };
  const auto unseen = inputs_of(2);
  Retargeter swap(model, plan(model, {.to = "relu"}));
  swap.set_blend(1.0);
  const double before = square_error(model.module, swap.module(), unseen);
  swap.set_blend(0.0);
  const auto result = calibrate(swap.module(), inputs_of(1), CalibrationOptions());
  EXPECT_EQ(result.left_out, Strings{});
  EXPECT_GT(result.joint.passes, 0);
  EXPECT_LT(square_error(model.module, swap.module(), unseen), 0.8 * before);
}

TEST(Calibrate, SaysWhatWasFitted) {
  const auto model = load(test_model("scripted_module.pt"));
  Retargeter swap(model, plan(model, {}));
  const auto result =
      calibrate(swap.module(), batches_like("scripted_module", 256, 1), CalibrationOptions());
  EXPECT_EQ(names(result.layers), (Strings{"cells.0.conv", "cells.1.conv", "head"}))
      << testing::PrintToString(result.left_out);
  ASSERT_EQ(result.sites.size(), 3U);
  EXPECT_EQ(result.sites[0].producer, "stem.1");
  EXPECT_EQ(result.sites[2].producer, "cells.1.norm");
  EXPECT_EQ(result.left_out, Strings{});
  for (const auto& layer : result.layers) {
    EXPECT_LT(layer.error_after, layer.error_before) << layer.name;
  }
}

TEST(Calibrate, LeavesSharedWeightsAlone) {
  const auto tied = load(test_model("tied.pt"));
  Retargeter swap(tied, plan(tied, {}));
  const auto result = calibrate(swap.module(), batches_like("tied", 64, 1), CalibrationOptions());
  EXPECT_TRUE(result.layers.empty());
  ASSERT_EQ(result.left_out.size(), 1U);
  EXPECT_NE(result.left_out[0].find("shared with another layer"), std::string::npos);
}

// What is too wide for a regression is fitted per channel, and better than not at all.
TEST(Calibrate, LayersThatAreTooWideAreFittedPerChannel) {
  const auto model = load(test_model("scripted_module.pt"));
  CalibrationOptions options;
  options.max_features = 71;  // a convolution of 8 channels has 72
  Retargeter swap(model, plan(model, {}));
  const auto result = calibrate(swap.module(), batches_like("scripted_module", 256, 1), options);
  EXPECT_EQ(names(result.layers), (Strings{"cells.0.conv", "cells.1.conv", "head"}));
  EXPECT_EQ(to_string(result.layers[0].fit), "per channel");
  EXPECT_EQ(to_string(result.layers[1].fit), "per channel");
  EXPECT_EQ(to_string(result.layers[2].fit), "regression");
  EXPECT_LT(result.layers[0].error_after, result.layers[0].error_before);
  EXPECT_TRUE(result.left_out.empty());
  EXPECT_NE(summary(result).find("3 layers fitted, 2 of them per channel"), std::string::npos)
      << summary(result);
}

struct Reach {
  std::string name;
  std::vector<std::int64_t> input;
  Shapes parameters;
  std::string code;
  Strings layers;
};

// By the flow of data, whatever stands between; convolutions of every kind.
TEST(Calibrate, ReachesLayersThroughWhatStandsBetween) {
  const std::vector<Reach> cases = {
      {"Cat",
       {64, 6},
       {{"a", {8, 6}}, {"b", {8, 6}}, {"c", {4, 16}}, {"d", {4}}},
       "    y = torch.mish(torch.linear(x, self.a))\n"
       "    z = torch.mish(torch.linear(x, self.b))\n"
       "    return torch.linear(torch.cat([y, z], 1), self.c, self.d)\n",
       {"c"}},
      {"Pool",
       {64, 3, 8, 8},
       {{"a", {5, 3, 3, 3}}, {"b", {5}}, {"c", {4, 20}}, {"d", {4}}},
       "    y = torch.mish(torch.conv2d(x, self.a, self.b, [1, 1], [1, 1]))\n"
       "    y = torch.flatten(torch.max_pool2d(y, [4, 4]), 1)\n"
       "    return torch.linear(y, self.c, self.d)\n",
       {"c"}},
      {"Transpose",
       {64, 7, 6},
       {{"a", {8, 6}}, {"b", {5, 7}}, {"c", {5}}},
       "    y = torch.mish(torch.linear(x, self.a)).transpose(1, 2)\n"
       "    return torch.linear(y, self.b, self.c).reshape([-1, 40])\n",
       {"b"}},
      {"FurtherOn",
       {64, 6},
       {{"a", {8, 6}}, {"b", {6, 8}}, {"c", {4, 6}}, {"d", {4}}},
       "    y = torch.linear(torch.mish(torch.linear(x, self.a)), self.b)\n"
       "    return torch.linear(torch.softmax(y, 1), self.c, self.d)\n",
       {"b", "c"}},
      {"Upwards",
       {32, 3, 5, 5},
       {{"a", {4, 3, 3, 3}}, {"b", {4, 6, 3, 3}}, {"c", {6}}},
       "    y = torch.mish(torch.conv2d(x, self.a))\n"
       "    return torch.conv_transpose2d(y, self.b, self.c, [2, 2], [1, 1], [1, 1])\n",
       {"b"}},
      {"Volume",
       {32, 2, 5, 5, 5},
       {{"a", {4, 2, 3, 3, 3}}, {"b", {6, 4, 3, 3, 3}}, {"c", {6}}},
       "    y = torch.mish(torch.conv3d(x, self.a))\n"
       "    return torch.conv3d(y, self.b, self.c, [2, 2, 2], [1, 1, 1])\n",
       {"b"}},
      {"Branch",
       {64, 6},
       {{"a", {8, 6}}, {"b", {8, 8}}, {"c", {4, 8}}, {"d", {4}}},
       "    y = torch.mish(torch.linear(x, self.a))\n"
       "    if x.size(0) > 1000:\n"
       "        y = torch.linear(y, self.b)\n"
       "    return torch.linear(y, self.c, self.d)\n",
       {"c"}},
  };
  for (const auto& reach : cases) {
    const auto model = adopt(written(reach.name, reach.parameters, reach.code));
    Retargeter swap(model, plan(model, {}));
    torch::manual_seed(6);
    const Batches batches = {{torch::randn(reach.input)}, {torch::randn(reach.input)}};
    const auto result = calibrate(swap.module(), batches, CalibrationOptions());
    EXPECT_EQ(names(result.layers), reach.layers) << reach.name;
    EXPECT_TRUE(result.left_out.empty()) << reach.name << ": " << result.left_out.front();
    for (const auto& layer : result.layers) {
      EXPECT_LT(layer.error_after, 0.8 * layer.error_before) << reach.name << " " << layer.name;
    }
    const Batches unseen = {{torch::randn(reach.input)}};
    Retargeter plain(model, plan(model, {}));
    plain.set_blend(1.0);
    EXPECT_LT(square_error(model.module, swap.module(), unseen),
              0.5 * square_error(model.module, plain.module(), unseen))
        << reach.name;
  }
}

// One weight for two uses: a fit of one would spoil the other. It stays, and that is said.
TEST(Calibrate, ALayerThatIsCalledTwiceStays) {
  const auto model = adopt(written("Twice", {{"a", {6, 6}}, {"b", {6}}},
                                   "    y = torch.mish(torch.linear(x, self.a, self.b))\n"
                                   "    return torch.linear(y, self.a, self.b)\n"));
  Retargeter swap(model, plan(model, {}));
  const auto result = calibrate(swap.module(), {{torch::randn({32, 6})}}, CalibrationOptions());
  EXPECT_TRUE(result.layers.empty());
  ASSERT_EQ(result.left_out.size(), 1U);
  EXPECT_NE(result.left_out[0].find("shared"), std::string::npos) << result.left_out[0];
  EXPECT_EQ(
      largest_difference(distinct_parameters(swap.module()), distinct_parameters(model.module)),
      0.0);
}

TEST(Calibrate, RecurrentLayersStay) {
  const auto model = adopt(written(
      "Recurrent", {{"a", {4, 3}}, {"wi", {8, 4}}, {"wh", {8, 2}}, {"bi", {8}}, {"bh", {8}}},
      "    y = torch.mish(torch.linear(x, self.a))\n"
      "    h = torch.zeros([1, x.size(1), 2])\n"
      "    return torch.lstm(y, [h, h], [self.wi, self.wh, self.bi, self.bh], True, 1, 0.0,"
      " False, False, False)[0]\n"));
  Retargeter swap(model, plan(model, {}));
  const auto result = calibrate(swap.module(), {{torch::randn({5, 16, 3})}}, CalibrationOptions());
  EXPECT_TRUE(result.layers.empty());
  ASSERT_EQ(result.left_out.size(), 1U);
  EXPECT_NE(result.left_out[0].find("lstm"), std::string::npos) << result.left_out[0];
}

TEST(Calibrate, TakesInputsOfADataSet) {
  const auto model = load(test_model("scripted_module.pt"));
  Retargeter swap(model, plan(model, {}));
  const auto inputs = batches_like("scripted_module", 100, 1)[0];
  CalibrationOptions options;
  options.inputs = 40;
  const auto result = calibrate(swap, TensorDataset(inputs, {}), options);
  EXPECT_EQ(result.inputs, 40);
  EXPECT_EQ(swap.blend(swap.plan().sites[0].site.id), 1.0);
}

TEST(Calibrate, TheModelItselfStays) {
  const auto model = load(test_model("scripted_module.pt"));
  const auto io = recorded("scripted_module");
  Retargeter swap(model, plan(model, {}));
  calibrate(swap.module(), batches_like("scripted_module", 64, 1), CalibrationOptions());
  EXPECT_EQ(largest_difference(outputs_of(model.module, io.inputs), io.outputs), 0.0);
}

TEST(Calibrate, StopsWhenAsked) {
  const auto model = load(test_model("scripted_module.pt"));
  Retargeter swap(model, plan(model, {}));
  EXPECT_THROW(calibrate(swap.module(), batches_like("scripted_module", 64, 1),
                         CalibrationOptions(), {.should_stop = [] { return true; }}),
               Interrupted);
}

// A chain of convolutions with an activation behind each.
torch::jit::Module chain(int length) {
  const auto unit = std::make_shared<torch::jit::CompilationUnit>();
  torch::jit::Module module(c10::QualifiedName("__torch__.Chain"), unit, true);
  std::string code = "def forward(self, x):\n";
  torch::manual_seed(3);
  for (int i = 0; i < length; ++i) {
    const auto number = std::to_string(i);
    module.register_parameter("weight" + number, torch::randn({4, 4, 3, 3}) / 4.0, false);
    module.register_parameter("bias" + number, torch::zeros({4}), false);
    code += "    x = torch.mish(torch.conv2d(x, self.weight" + number + ", self.bias" + number +
            ", [1, 1], [1, 1]))\n";
  }
  module.define(code + "    return x\n");
  return module;
}

// How many convolutions LibTorch runs while a chain is calibrated.
std::int64_t convolutions(int length, std::int64_t memory) {
  const auto model = adopt(chain(length));
  Retargeter swap(model, plan(model, {}));
  Batches batches;
  for (int i = 0; i < 4; ++i) {
    batches.push_back({torch::randn({8, 4, 6, 6})});
  }
  CalibrationOptions options;
  options.memory = memory;
  options.passes = 0;
  static std::int64_t count = 0;
  count = 0;
  const auto handle = at::addThreadLocalCallback(at::RecordFunctionCallback(
      [](const at::RecordFunction& function) -> std::unique_ptr<at::ObserverContext> {
        count += std::string(function.name()) == "aten::conv2d" ? 1 : 0;
        return nullptr;
      }));
  calibrate(swap.module(), batches, options);
  at::removeCallback(handle);
  return count;
}

// The time grows with the depth, not with its square, however little memory there is.
TEST(Calibrate, RunsEachLayerAFewTimes) {
  for (const std::int64_t memory :
       {CalibrationOptions().memory, std::int64_t{100000}, std::int64_t{0}}) {
    EXPECT_LT(static_cast<double>(convolutions(16, memory)),
              2.3 * static_cast<double>(convolutions(8, memory)))
        << memory;
  }
}

// Where all is kept, more memory changes nothing. Where less is, fewer inputs are looked at, and
// the model still comes nearer to the original.
TEST(Calibrate, TakesMoreInputsWhereTheMemoryIsGranted) {
  for (const char* name : {"scripted_module", "control_flow", "two_inputs"}) {
    const auto model = load(test_model(std::string(name) + ".pt"));
    const auto unseen = batches_like(name, 16, 2);
    std::vector<double> errors;
    for (const std::int64_t memory :
         {std::int64_t{0}, std::int64_t{1} << 30, std::int64_t{1} << 31}) {
      Retargeter swap(model, plan(model, {}));
      CalibrationOptions options;
      options.memory = memory;
      calibrate(swap.module(), batches_like(name, 64, 1), options);
      errors.push_back(square_error(swap.module(), model.module, unseen));
    }
    Retargeter swap(model, plan(model, {}));
    swap.set_blend(1.0);
    EXPECT_EQ(errors[1], errors[2]) << name;
    EXPECT_NE(errors[0], errors[1]) << name;
    EXPECT_LT(errors[0], square_error(swap.module(), model.module, unseen)) << name;
  }
}

TEST(Calibrate, TellsHowFarItIs) {
  const auto model = load(test_model("scripted_module.pt"));
  Retargeter swap(model, plan(model, {}));
  std::vector<std::size_t> sites;
  std::vector<std::size_t> passes;
  CalibrationOptions options;
  options.passes = 2;
  calibrate(swap.module(), batches_like("scripted_module", 64, 1), options,
            {.on_site =
                 [&](std::size_t done, std::size_t count) {
                   sites.push_back(done);
                   EXPECT_EQ(count, 3U);
                 },
             .on_pass =
                 [&](std::size_t done, std::size_t count) {
                   passes.push_back(done);
                   EXPECT_EQ(count, 2U);
                 }});
  EXPECT_EQ(sites, (std::vector<std::size_t>{0, 1, 2, 3}));
  EXPECT_EQ(passes, (std::vector<std::size_t>{0, 1, 2}));
}

TEST(Calibrate, SaysWhatIsWrong) {
  const auto model = load(test_model("scripted_module.pt"));
  Retargeter swap(model, plan(model, {}));
  EXPECT_THROW(calibrate(swap.module(), {}, CalibrationOptions()), UsageError);
  EXPECT_THROW(calibrate(swap.module(), {{torch::zeros({2, 5})}}, CalibrationOptions()),
               UsageError);
  CalibrationOptions options;
  options.memory = -1;
  EXPECT_THROW(calibrate(swap.module(), batches_like("scripted_module", 8, 1), options),
               UsageError);
  options = CalibrationOptions();
  options.passes = -1;
  EXPECT_THROW(calibrate(swap.module(), batches_like("scripted_module", 8, 1), options),
               UsageError);
  options = CalibrationOptions();
  options.inputs = 0;
  EXPECT_THROW(calibrate(swap.module(), batches_like("scripted_module", 8, 1), options),
               UsageError);
}

}  // namespace
}  // namespace actswap
