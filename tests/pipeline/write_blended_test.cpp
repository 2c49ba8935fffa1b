// Blended files, the sensitivity's defaults, and plans that swap nothing.
#include <actswap/base/error.h>
#include <actswap/pipeline/convert.h>
#include <actswap/pipeline/sensitivity_request.h>
#include <actswap/pipeline/write_blended.h>

#include <gtest/gtest.h>

#include "models.h"

namespace actswap {
namespace {

std::shared_ptr<Dataset> random_images(std::int64_t count) {
  torch::manual_seed(1);
  return std::make_shared<TensorDataset>(std::vector<torch::Tensor>{torch::randn({count, 3, 8, 8})},
                                         torch::Tensor());
}

TEST(WriteBlended, IsTheOriginalUntilItIsCalibrated) {
  const ScratchFolder scratch;
  const auto model = load(test_model("scripted_module.pt"));
  const std::vector<torch::Tensor> inputs = {torch::randn({4, 3, 8, 8})};
  BlendRequest request{.output = scratch / "blended.pt", .exporting = {.probe_inputs = inputs}};
  auto file = write_blended(model, plan(model, {}), request);
  EXPECT_TRUE(file.verification.verified);
  EXPECT_EQ(file.t, 0.0);
  EXPECT_FALSE(file.calibration);
  const auto before = outputs_of(model.module, inputs);
  EXPECT_EQ(largest_difference(outputs_of(load(request.output).module, inputs), before), 0.0);

  request.calibration_data = random_images(16);
  request.calibration.inputs = 8;
  file = write_blended(model, plan(model, {}), request);
  EXPECT_TRUE(file.verification.verified);
  EXPECT_EQ(file.t, 1.0);
  ASSERT_TRUE(file.calibration);
  EXPECT_EQ(file.calibration->inputs, 8);
  EXPECT_GT(largest_difference(outputs_of(load(request.output).module, inputs), before), 0.0);
}

// A calibration may take minutes: what can be known before is said before.
TEST(WriteBlended, LooksAtTheOutputFirst) {
  const ScratchFolder scratch;
  const auto model = load(test_model("scripted_module.pt"));
  BlendRequest request{.output = scratch / "missing/blended.pt",
                       .calibration_data = random_images(16)};
  const auto write = [&] {
    write_blended(model, plan(model, {}), request,
                  {.on_site = [](std::size_t, std::size_t) { FAIL() << "it was calibrated"; }});
  };
  EXPECT_THROW(write(), FileError);
  request.output = scratch / "blended.pt";
  request.calibration.batch_size = 0;
  EXPECT_THROW(write(), UsageError);
  EXPECT_TRUE(scratch.list().empty());
}

TEST(ExpectSwaps, APlanThatSwapsNothingIsRefused) {
  const ScratchFolder scratch;
  const auto model = load(test_model("scripted_module.pt"));
  const auto nothing = plan(model, {.keep = {"*"}});
  EXPECT_THROW(convert(model, nothing, {.output = scratch / "out.pt"}), UsageError);
  EXPECT_THROW(write_blended(model, nothing, {.output = scratch / "out.pt"}), UsageError);
  EXPECT_TRUE(scratch.list().empty());
}

TEST(SensitivityRequest, TimesTheFirstExamplesAndSolvesEachLayerOnce) {
  SensitivityRequest request{.validation_data = random_images(16)};
  auto options = request.resolved();
  EXPECT_EQ(options.timing_inputs.at(0).size(0), 8);
  EXPECT_TRUE(options.calibration_batches.empty());
  request.timing_inputs = {torch::ones({2, 3, 8, 8})};
  request.calibration_data = random_images(16);
  request.calibration.inputs = 12;
  request.calibration.batch_size = 8;
  options = request.resolved();
  EXPECT_EQ(options.timing_inputs.at(0).size(0), 2);
  ASSERT_EQ(options.calibration_batches.size(), 2U);
  EXPECT_EQ(options.calibration_batches[1].at(0).size(0), 6);  // 12 inputs in two even batches
  EXPECT_EQ(options.calibration.passes, 0);
  request.calibration.inputs = 0;
  EXPECT_THROW(request.resolved(), UsageError);
  request.validation_data = random_images(0);
  EXPECT_THROW(request.resolved(), UsageError);
}

}  // namespace
}  // namespace actswap
