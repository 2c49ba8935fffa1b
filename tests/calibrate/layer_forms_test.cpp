// Linear layers in all their spellings, and what only looks like one.
#include <actswap/calibrate/calibrate.h>
#include <actswap/data/dataset.h>
#include <actswap/graph/retarget.h>

#include <torch/script.h>
#include <torch/utils.h>

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "calibrate/names.h"
#include "calibrate/written.h"
#include "models.h"

namespace actswap {
namespace {

using Strings = std::vector<std::string>;
using Batches = std::vector<std::vector<torch::Tensor>>;

double error_of_first_output(const Model& model, Retargeter& swap,
                             const std::vector<torch::Tensor>& inputs) {
  return torch::mse_loss(outputs_of(swap.module(), inputs).at(0),
                         outputs_of(model.module, inputs).at(0))
      .item<double>();
}

struct Spelling {
  std::string name;
  Shapes parameters;
  std::string code;
  std::vector<std::int64_t> input = {64, 6};
};

// In all of them w2 is behind the activation, and b1 is added before it alone.
TEST(LayerForms, EverySpellingOfALinearLayerIsFitted) {
  const Shapes products = {{"w1", {6, 8}}, {"b1", {8}}, {"w2", {8, 4}}, {"b2", {4}}};
  const Shapes layers = {{"w1", {8, 6}}, {"b1", {8}}, {"w2", {4, 8}}, {"b2", {4}}};
  const std::vector<Spelling> spellings = {
      {"Addmm", products,
       "    y = torch.mish(torch.addmm(self.b1, x, self.w1))\n"
       "    return torch.addmm(self.b2, y, self.w2)\n"},
      {"Conv1d",
       products,  // as GPT-2 has it
       "    y = torch.mish(torch.addmm(self.b1, x.view(-1, 6), self.w1).view(64, 3, 8))\n"
       "    return torch.addmm(self.b2, y.view(-1, 8), self.w2).view(64, 3, 4)\n",
       {64, 3, 6}},
      {"Matmul",
       products,
       "    y = torch.mish(torch.matmul(x, self.w1) + self.b1)\n"
       "    return torch.matmul(y, self.w2) + self.b2\n",
       {64, 3, 6}},
      {"BiasFirst", products,
       "    y = torch.mish(self.b1 + torch.mm(x, self.w1))\n"
       "    return self.b2 + torch.mm(y, self.w2)\n"},
      {"InPlace", products,
       "    y = torch.matmul(x, self.w1)\n"
       "    y += self.b1\n"
       "    z = torch.matmul(torch.mish(y), self.w2)\n"
       "    z += self.b2\n"
       "    return z\n"},
      {"BiasOfTwoDimensions",
       {{"w1", {6, 8}}, {"b1", {1, 8}}, {"w2", {8, 4}}, {"b2", {1, 4}}},
       "    y = torch.mish(torch.addmm(self.b1, x, self.w1))\n"
       "    return torch.matmul(y, self.w2) + self.b2\n"},
      {"Transposed", layers,
       "    y = torch.mish(torch.matmul(x, self.w1.t()) + self.b1)\n"
       "    return torch.addmm(self.b2, y, self.w2.transpose(0, 1))\n"},
      {"LinearOfTransposed", products,
       "    y = torch.mish(torch.linear(x, self.w1.t(), self.b1))\n"
       "    return torch.linear(y, self.w2.t(), self.b2)\n"},
      {"Einsum",
       products,
       "    y = torch.mish(torch.einsum('...i,ij->...j', [x, self.w1]) + self.b1)\n"
       "    return torch.einsum('nti, ij -> ntj', [y, self.w2]) + self.b2\n",
       {64, 3, 6}},
      {"EinsumWithOutputsFirst", layers,
       "    y = torch.mish(torch.einsum('oi,ni->no', [self.w1, x]) + self.b1)\n"
       "    return torch.einsum('ni,oi->no', [y, self.w2]) + self.b2\n"},
      {"LinearWithABiasBehind", layers,
       "    y = torch.mish(torch.linear(x, self.w1) + self.b1)\n"
       "    return torch.linear(y, self.w2) + self.b2\n"},
      // Written into in place behind it: the matrix that was turned over must be the fitted one.
      {"TransposedBeforeAWrite", layers,
       "    w = self.w2.t()\n"
       "    y = torch.mish(torch.matmul(x, self.w1.t()) + self.b1)\n"
       "    y.mul_(0.5)\n"
       "    return torch.matmul(y, w) + self.b2\n"},
      {"ConvolutionWithABiasBehind",
       {{"w1", {8, 6, 3}}, {"b1", {8, 1}}, {"w2", {4, 8, 3}}, {"b2", {1, 4, 1}}},
       "    y = torch.mish(torch.conv1d(x, self.w1) + self.b1)\n"
       "    return torch.conv1d(y, self.w2) + self.b2\n",
       {64, 6, 9}},
      {"PaddedToTheSameSize",
       {{"w1", {8, 6, 3, 2}}, {"b1", {8}}, {"w2", {4, 8, 2, 3}}, {"b2", {4}}},
       "    y = torch.mish(torch.conv2d(x, self.w1, self.b1, [1, 1], \"same\"))\n"
       "    return torch.conv2d(y, self.w2, self.b2, [1, 1], \"same\", [2, 1])\n",
       {64, 6, 5, 5}},
  };
  for (const auto& spelling : spellings) {
    SCOPED_TRACE(spelling.name);
    const auto model = adopt(written(spelling.name, spelling.parameters, spelling.code));
    torch::manual_seed(6);
    Batches batches;
    for (int i = 0; i < 24; ++i) {
      batches.push_back({torch::randn(spelling.input)});
    }
    const auto unseen = std::vector<torch::Tensor>{torch::randn(spelling.input)};
    Retargeter plain(model, plan(model, {}));
    plain.set_blend(1.0);
    Retargeter swap(model, plan(model, {}));
    CalibrationOptions options;
    options.passes = 0;
    const auto result = calibrate(swap.module(), batches, options);
    EXPECT_EQ(names(result.layers), Strings{"w2"});
    EXPECT_EQ(result.left_out, Strings{});
    ASSERT_EQ(result.sites.size(), 1U);
    EXPECT_EQ(result.sites[0].producer, "w1");
    EXPECT_EQ(result.sites[0].channels, 8);
    EXPECT_LT(error_of_first_output(model, swap, unseen),
              0.3 * error_of_first_output(model, plain, unseen));
  }
}

// Whatever the layers see of them: a product's matrix, a kernel that is turned over, a bias of more
// dimensions.
TEST(LayerForms, TheJointFitMovesTheParametersThemselves) {
  const std::vector<Spelling> spellings = {
      {"Products",
       {{"w1", {6, 8}}, {"b1", {1, 8}}, {"w2", {8, 8}}, {"b2", {1, 8}}, {"w3", {8, 4}}},
       "    y = torch.mish(torch.matmul(x, self.w1) + self.b1)\n"
       "    z = torch.mish(torch.addmm(self.b2, y, self.w2))\n"
       "    return torch.matmul(z, self.w3)\n"},
      {"Upwards",
       {{"w1", {4, 3, 3, 3}}, {"b1", {4}}, {"w2", {4, 6, 3, 3}}, {"b2", {6}}, {"w3", {4, 6, 1, 1}}},
       "    y = torch.mish(torch.conv2d(x, self.w1, self.b1))\n"
       "    z = torch.mish(torch.conv_transpose2d(y, self.w2, self.b2, [2, 2], [1, 1]))\n"
       "    return torch.conv2d(z, self.w3)\n",
       {32, 3, 5, 5}},
  };
  for (const auto& spelling : spellings) {
    SCOPED_TRACE(spelling.name);
    const auto model = adopt(written(spelling.name, spelling.parameters, spelling.code));
    torch::manual_seed(6);
    Batches batches;
    for (int i = 0; i < 32; ++i) {
      batches.push_back({torch::randn(spelling.input)});
    }
    std::vector<torch::jit::Module> found;
    for (const std::int64_t passes : {0, 10}) {
      Retargeter swap(model, plan(model, {}));
      CalibrationOptions options;
      options.passes = passes;
      EXPECT_EQ(calibrate(swap.module(), batches, options).joint.passes, passes);
      found.push_back(swap.module());
    }
    for (const char* name : {"b1", "w2", "b2", "w3"}) {
      EXPECT_FALSE(torch::equal(found[0].attr(name).toTensor(), found[1].attr(name).toTensor()))
          << name;
    }
  }
}

// A product of two values, one with something that is not learnt, or with a factor on one side.
TEST(LayerForms, OtherProductsAreNoLayers) {
  const Shapes parameters = {{"a", {6, 6}}, {"c", {4, 6}}, {"d", {4}}};
  const std::vector<Spelling> others = {
      {"OfTwoValues", parameters,
       "    y = torch.mish(torch.linear(x, self.a))\n"
       "    return torch.linear(torch.matmul(y, y.t()).matmul(y), self.c, self.d)\n"},
      {"OfABuffer", parameters,
       "    y = torch.mish(torch.linear(x, self.a))\n"
       "    return torch.linear(torch.matmul(y, self.fixed), self.c, self.d)\n"},
      {"WithAFactor", parameters,
       "    y = torch.mish(torch.linear(x, self.a))\n"
       "    return torch.linear(torch.addmm(x, y, self.a, beta=1.0, alpha=2.0), self.c, self.d)\n"},
  };
  for (const auto& other : others) {
    SCOPED_TRACE(other.name);
    const auto unit = std::make_shared<torch::jit::CompilationUnit>();
    torch::jit::Module module(c10::QualifiedName("__torch__." + other.name), unit, true);
    torch::manual_seed(5);
    for (const auto& [name, shape] : other.parameters) {
      module.register_parameter(name, 0.4 * torch::randn(shape), false);
    }
    module.register_buffer("fixed", torch::randn({6, 6}));
    module.define("def forward(self, x):\n" + other.code);
    const auto fixed = module.attr("fixed").toTensor().clone();
    const auto model = adopt(module);
    Retargeter swap(model, plan(model, {}));
    const auto result =
        calibrate(swap.module(), {{torch::randn({32, 6})}, {torch::randn({32, 6})}}, {});
    EXPECT_EQ(names(result.layers), Strings{"c"});
    EXPECT_EQ(result.left_out, Strings{});
    EXPECT_TRUE(torch::equal(swap.module().attr("fixed").toTensor(), fixed));
  }
}

// In which the layer's output is repeated: of other dimensions, of fewer, of a convolution.
TEST(LayerForms, ASumMayRepeatTheLayersOutput) {
  const std::vector<Spelling> sums = {
      {"OverTokens",
       {{"w1", {8, 6}}, {"b1", {8}}, {"w2", {6, 8}}, {"b2", {6}}},
       "    y = torch.mish(torch.linear(x.mean(1, True), self.w1, self.b1))\n"
       "    return x + torch.linear(y, self.w2, self.b2)\n",
       {64, 5, 6}},
      {"OverTheFirstDimension",
       {{"w1", {8, 6}}, {"b1", {8}}, {"w2", {6, 8}}, {"b2", {6}}},
       "    y = torch.mish(torch.linear(x.mean(1), self.w1, self.b1))\n"
       "    z = torch.linear(y, self.w2, self.b2)\n"
       "    return x.transpose(0, 1) + z\n",
       {64, 5, 6}},
      {"OverAnImage",
       {{"w1", {8, 3, 1, 1}}, {"b1", {8}}, {"w2", {3, 8, 1, 1}}, {"b2", {3}}},
       "    y = torch.mish(torch.conv2d(x.mean([2, 3], True), self.w1, self.b1))\n"
       "    return torch.conv2d(y, self.w2, self.b2) + x\n",
       {64, 3, 4, 4}},
  };
  for (const auto& sum : sums) {
    SCOPED_TRACE(sum.name);
    const auto model = adopt(written(sum.name, sum.parameters, sum.code));
    torch::manual_seed(6);
    const Batches batches = {{torch::randn(sum.input)}, {torch::randn(sum.input)}};
    const auto unseen = std::vector<torch::Tensor>{torch::randn(sum.input)};
    Retargeter plain(model, plan(model, {}));
    plain.set_blend(1.0);
    Retargeter swap(model, plan(model, {}));
    const auto result = calibrate(swap.module(), batches, {});
    EXPECT_EQ(names(result.layers), Strings{"w2"});
    EXPECT_LT(error_of_first_output(model, swap, unseen),
              0.5 * error_of_first_output(model, plain, unseen));
  }
}

TEST(LayerForms, AnEmptyLayerIsLeftOut) {
  const auto model = adopt(written("Empty", {{"a", {4, 6}}, {"b", {4}}, {"none", {0, 4}}},
                                   "    y = torch.mish(torch.linear(x, self.a, self.b))\n"
                                   "    return torch.cat([y, torch.linear(y, self.none)], 1)\n"));
  Retargeter swap(model, plan(model, {}));
  const auto result =
      calibrate(swap.module(), {{torch::randn({32, 6})}, {torch::randn({32, 6})}}, {});
  ASSERT_GE(result.left_out.size(), 1U);
  EXPECT_EQ(result.left_out[0], "none: its weight is empty");
}

// The summed letter stands in the middle of what is read.
TEST(LayerForms, AnotherEinsumStaysAndIsNamed) {
  const auto model = adopt(written("Channels", {{"w1", {6, 3}}, {"b1", {6}}, {"w2", {4, 6}}},
                                   "    y = torch.mish(torch.linear(x, self.w1, self.b1))\n"
                                   "    y = y.transpose(1, 2)\n"
                                   "    return torch.einsum('nct,oc->not', [y, self.w2])\n"));
  Retargeter swap(model, plan(model, {}));
  const auto result = calibrate(swap.module(), {{torch::randn({16, 5, 3})}}, {});
  EXPECT_EQ(result.left_out, Strings{"w2: no fit for this equation of einsum"});
}

}  // namespace
}  // namespace actswap
