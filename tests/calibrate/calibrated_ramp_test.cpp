#include <actswap/calibrate/calibrate.h>
#include <actswap/calibrate/calibrated_ramp.h>
#include <actswap/graph/retarget.h>

#include <torch/script.h>
#include <torch/utils.h>

#include <gtest/gtest.h>

#include "models.h"

namespace actswap {
namespace {

double error(const torch::Tensor& found, const torch::Tensor& expected) {
  return (found - expected).square().mean().item<double>();
}

TEST(CalibratedRamp, GoesFromTheOriginalToTheCalibrated) {
  const auto model = load(test_model("scripted_module.pt"));
  const auto io = recorded("scripted_module");
  auto shape = io.inputs[0].sizes().vec();
  shape[0] = 256;
  torch::manual_seed(1);
  const std::vector<std::vector<torch::Tensor>> batches = {{torch::randn(shape)}};
  const auto outputs_at = [&](Retargeter& swap, double t) {
    swap.set_blend(t);
    return outputs_of(swap.module(), io.inputs)[0];
  };

  Retargeter plain(model, plan(model, {}));
  const double without = error(outputs_at(plain, 0.5), io.outputs[0]);
  Retargeter swap(model, plan(model, {}));
  CalibratedRamp ramp(swap.module());
  calibrate(swap.module(), batches, CalibrationOptions());
  const auto calibrated = outputs_at(swap, 1.0);

  ramp.rewind();
  EXPECT_TRUE(torch::equal(outputs_at(swap, 0.0), io.outputs[0]));
  ramp.move(0.5);
  EXPECT_LT(error(outputs_at(swap, 0.5), io.outputs[0]), 0.5 * without);
  ramp.move(0.25);  // back, as a closed loop may
  ramp.move(1.0);
  EXPECT_TRUE(torch::allclose(outputs_at(swap, 1.0), calibrated, 1e-5, 1e-6));
  ramp.move(0.0);
  EXPECT_TRUE(torch::allclose(outputs_at(swap, 0.0), io.outputs[0], 1e-5, 1e-6));
}

// What training adds on the way stays.
TEST(CalibratedRamp, KeepsWhatTrainingDid) {
  const auto model = load(test_model("scripted_module.pt"));
  Retargeter swap(model, plan(model, {}));
  const auto parameter = distinct_parameters(swap.module()).front();
  const auto before = parameter.detach().clone();
  CalibratedRamp ramp(swap.module());
  const torch::NoGradGuard no_grad;
  torch::Tensor(parameter).add_(2.0);  // as a calibration would
  ramp.rewind();
  EXPECT_TRUE(torch::equal(parameter, before));
  torch::Tensor(parameter).sub_(0.5);  // as a step would
  ramp.move(1.0);
  EXPECT_TRUE(torch::allclose(parameter, before + 1.5));
}

// Running statistics that training writes to follow the blends by themselves: the change on top of
// that would count twice, and could make a variance negative.
TEST(CalibratedRamp, LeavesBuffersToTrainingThatWritesThem) {
  const auto model = load(test_model("scripted_module.pt"));
  Retargeter swap(model, plan(model, {}));
  std::vector<torch::Tensor> means;
  for (const auto& buffer : swap.module().named_buffers()) {
    if (buffer.name.ends_with("running_mean")) {
      means.push_back(buffer.value);
    }
  }
  ASSERT_GE(means.size(), 2U);
  CalibratedRamp ramp(swap.module());
  const torch::NoGradGuard no_grad;
  means[0].add_(2.0);  // as a calibration would
  means[1].add_(2.0);
  ramp.rewind();
  const auto untouched = means[1].clone();
  ramp.move(0.25);
  means[0].fill_(7.0);  // as a batch norm in train mode would
  ramp.move(1.0);
  EXPECT_TRUE(torch::allclose(means[0], torch::full_like(means[0], 7.0)));
  EXPECT_TRUE(torch::allclose(means[1], untouched + 2.0));
}

// Steps of 1e-3 are lost in bfloat16, whose last place at 1 is 8e-3; their sum is not.
TEST(CalibratedRamp, SmallMovesOfReducedPrecisionAddUp) {
  torch::jit::Module module("__torch__.m");
  module.register_parameter("w", torch::ones({4}, torch::kBFloat16), false);
  module.define("def forward(self, x):\n  return x * self.w\n");
  const auto w = module.attr("w").toTensor();
  CalibratedRamp ramp(module);
  const torch::NoGradGuard no_grad;
  torch::Tensor(w).fill_(2.0);  // as a calibration would
  ramp.rewind();
  for (int i = 1; i <= 1000; ++i) {
    ramp.move(i / 1000.0);
  }
  EXPECT_NEAR(w.to(torch::kDouble).mean().item<double>(), 2.0, 0.01);
}

// There and back, and what is copied back is the same: nobody has written to it.
TEST(CalibratedRamp, ABufferIsWhereTSays) {
  torch::jit::Module module("__torch__.m");
  module.register_buffer("mean", torch::full({2}, 0.1));
  module.define("def forward(self, x):\n  return x * self.mean\n");
  const auto mean = module.attr("mean").toTensor();
  CalibratedRamp ramp(module);
  mean.fill_(1e6);
  ramp.rewind();
  const auto before = mean.clone();
  ramp.move(1.0);
  ramp.move(0.0);
  EXPECT_TRUE(torch::equal(mean, before));
  mean.copy_(before);
  ramp.move(1.0);
  EXPECT_EQ(mean[0].item<float>(), 1e6F);
}

}  // namespace
}  // namespace actswap
