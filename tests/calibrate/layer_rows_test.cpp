#include <actswap/calibrate/layer_rows.h>
#include <actswap/calibrate/shift_refinement.h>

#include <torch/script.h>
#include <torch/utils.h>

#include <gtest/gtest.h>

#include <utility>
#include <vector>

namespace actswap {
namespace {

// 3 x 3 behind an activation, padded.
struct RowsBehind {
  RowsBehind() {
    torch::manual_seed(0);
    layer.weight = torch::randn({8, 5, 3, 3}) / 6.0;
    layer.bias = torch::randn({8});
    layer.is_convolution = true;
    layer.geometry.stride = {1};
    layer.geometry.padding = {1};
    layer.geometry.dilation = {1};
  }
  torch::Tensor applied(const torch::Tensor& x) const {
    return torch::conv2d(x, layer.weight, layer.bias, 1, 1);
  }
  Layer layer;
};

// Not 0 for 0, so that what is padded shows.
torch::Tensor activation(const torch::Tensor& z) {
  return torch::softplus(z);
}

std::vector<LayerRows> drawn(const Layer& layer, const LayerValues& values, std::int64_t rows) {
  std::vector<LayerRows> found;
  RowDraw(layer, rows, 1).draw(values, [&](LayerRows part) { found.push_back(std::move(part)); });
  return found;
}

double difference(const torch::Tensor& a, const torch::Tensor& b) {
  return (a - b).abs().max().item<double>();
}

// From the rows alone, or from what the layer gave everywhere.
TEST(LayerRows, WhatALayerLacksIsTheSameEitherWay) {
  const RowsBehind behind;
  const auto x = torch::randn({16, 5, 6, 6});
  const auto original = torch::randn({16, 8, 6, 6});
  const auto output = behind.applied(x);
  const auto computed = drawn(behind.layer, {.input = x, .original = original}, 200);
  const auto given =
      drawn(behind.layer, {.input = x, .original = original, .output = output, .now = output}, 200);
  ASSERT_EQ(computed.size(), given.size());
  for (std::size_t i = 0; i < given.size(); ++i) {
    EXPECT_LT(difference(computed[i].lacking, given[i].lacking), 1e-5);
    EXPECT_EQ(difference(computed[i].x, given[i].x), 0.0);
  }
}

TEST(LayerRows, EveryEighthExampleIsHeldOut) {
  Layer layer;
  layer.weight = torch::zeros({1, 1});
  // Its number is its value.
  const auto x = torch::arange(20.0).reshape({20, 1});
  std::vector<float> held_out;
  std::int64_t rows = 0;
  for (const auto& part : drawn(layer, {.input = x, .original = x}, 1000)) {
    rows += part.x.size(1);
    for (std::int64_t i = 0; part.is_held_out && i < part.x.size(1); ++i) {
      held_out.push_back(part.x[0][i][0].item<float>());
    }
  }
  EXPECT_EQ(rows, 20);
  EXPECT_EQ(held_out, (std::vector<float>{7.0F, 15.0F}));
}

TEST(LayerRows, FewExamplesAreFittedToAndHeldOut) {
  Layer layer;
  layer.weight = torch::zeros({1, 1});
  const auto x = torch::ones({3, 1});
  const auto parts = drawn(layer, {.input = x, .original = x}, 1000);
  ASSERT_EQ(parts.size(), 2U);
  EXPECT_NE(parts[0].is_held_out, parts[1].is_held_out);
  EXPECT_EQ(parts[0].x.size(1), 3);
  EXPECT_EQ(parts[1].x.size(1), 3);
}

TEST(LayerRows, AsManyOfEachExample) {
  const RowsBehind behind;
  std::int64_t rows = 0;
  for (const auto& part : drawn(
           behind.layer,
           {.input = torch::randn({16, 5, 6, 6}), .original = torch::randn({16, 8, 6, 6})}, 160)) {
    rows += part.x.size(1);
  }
  EXPECT_GE(rows, 160);
  EXPECT_LE(rows, 16 * 11);
}

// A convolution's padding is 0 whatever the activation gives there.
TEST(LayerRows, ThePaddingIsNoInputOfTheSite) {
  const RowsBehind behind;
  const auto z = torch::randn({16, 5, 6, 6});
  const auto x = activation(z);
  for (const auto& rows :
       drawn(behind.layer, {.input = x, .original = behind.applied(x), .site_input = z}, 4000)) {
    ASSERT_TRUE(rows.inside.defined());
    EXPECT_LT(rows.inside.min().item<float>(), 1.0F);
    EXPECT_LT(difference(activation(rows.site_input) * rows.inside, rows.x), 1e-6);
  }
}

// The rows say what the models would give if they ran with the shift.
TEST(ShiftRefinement, MovesTheRowsAsTheModelsWould) {
  const RowsBehind behind;
  const auto& layer = behind.layer;
  const auto z = torch::randn({32, 5, 6, 6});
  const auto shift = 0.3 * torch::randn({5}, torch::kDouble);
  const auto moved = z + shift.to(torch::kFloat).reshape({1, 5, 1, 1});
  const auto original = behind.applied(torch::mish(z));
  const auto values_of = [&](const torch::Tensor& site_input) {
    return LayerValues{
        .input = activation(site_input), .original = original, .site_input = site_input};
  };
  Regression expected(layer);
  for (const auto& rows : drawn(layer, values_of(moved), 4000)) {
    expected.add(rows);
  }
  const auto run_again = expected.solve();
  ShiftRefinement refinement(layer, drawn(layer, values_of(z), 4000), activation);
  const auto found = refinement.move(shift);
  EXPECT_LT(difference(found.weight, run_again.weight), 1e-4);
  EXPECT_LT(difference(found.offset, run_again.offset), 1e-4);
  EXPECT_NEAR(found.error_before, run_again.error_before, 1e-4);
  EXPECT_NEAR(found.error_after, run_again.error_after, 1e-4);
  EXPECT_GT(found.error_before, 2.0 * found.error_after);

  // What the layer is changed by is taken off what it lacks: solved for again, nothing is left.
  refinement.note(found);
  const auto again = refinement.move(torch::zeros({5}, torch::kDouble));
  EXPECT_NEAR(again.error_before, found.error_after, 1e-4);
}

}  // namespace
}  // namespace actswap
