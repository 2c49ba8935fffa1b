#include <actswap/base/error.h>
#include <actswap/calibrate/calibrate.h>
#include <actswap/calibrate/layers.h>
#include <actswap/graph/retarget.h>

#include <torch/torch.h>

#include <gtest/gtest.h>

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

Strings names(const std::vector<CalibratedLayer>& layers) {
  Strings result;
  for (const auto& layer : layers) {
    result.push_back(layer.name);
  }
  return result;
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

TEST(Calibrate, LayersThatAreTooWideAreLeftOut) {
  const auto model = load(test_model("scripted_module.pt"));
  Retargeter swap(model, plan(model, {}));
  CalibrationOptions options;
  options.max_features = 71;  // a convolution of 8 channels has 72
  const auto result = calibrate(swap.module(), batches_like("scripted_module", 64, 1), options);
  EXPECT_EQ(names(result.layers), Strings{"head"});
  EXPECT_EQ(result.left_out.size(), 2U);
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
                         CalibrationOptions(), [] { return true; }),
               Interrupted);
}

TEST(Calibrate, SaysWhatIsWrong) {
  const auto model = load(test_model("scripted_module.pt"));
  Retargeter swap(model, plan(model, {}));
  EXPECT_THROW(calibrate(swap.module(), {}, CalibrationOptions()), UsageError);
  EXPECT_THROW(calibrate(swap.module(), {{torch::zeros({2, 5})}}, CalibrationOptions()),
               UsageError);
  CalibrationOptions options;
  options.inputs = 0;
  EXPECT_THROW(calibrate(swap.module(), batches_like("scripted_module", 8, 1), options),
               UsageError);
}

}  // namespace
}  // namespace actswap
