#include <actswap/calibrate/regression.h>

#include <torch/script.h>
#include <torch/utils.h>

#include <gtest/gtest.h>

#include <utility>

namespace actswap {
namespace {

Layer linear_layer(std::int64_t outputs, std::int64_t inputs) {
  Layer layer;
  layer.weight = torch::zeros({outputs, inputs});
  layer.bias = torch::zeros({outputs});
  return layer;
}

Layer convolution(std::vector<std::int64_t> shape, std::int64_t groups) {
  Layer layer;
  layer.weight = torch::zeros(shape);
  layer.bias = torch::zeros({shape[0]});
  layer.is_convolution = true;
  layer.geometry.stride = {2};
  layer.geometry.padding = {1};
  layer.geometry.dilation = {1};
  layer.geometry.groups = groups;
  return layer;
}

// What the layers here give is 0, so that they lack what is wanted of them.
void add(Regression& regression, RowDraw& draw, const torch::Tensor& x,
         const torch::Tensor& wanted) {
  draw.draw({.input = x, .original = wanted},
            [&](LayerRows rows) { regression.add(std::move(rows)); });
}

constexpr double kClose = 2e-3;  // the ridge pulls a little

double distance(const torch::Tensor& a, const torch::Tensor& b) {
  return ((a - b).norm() / b.norm()).item<double>();
}

// What a layer lacks is what another layer gives: that one is found.
TEST(Regression, FindsALinearLayer) {
  torch::manual_seed(0);
  const auto layer = linear_layer(3, 5);
  const auto weight = torch::randn({3, 5});
  const auto bias = torch::randn({3});
  Regression regression(layer);
  RowDraw draw(layer, 4000, 4);
  for (int i = 0; i < 4; ++i) {
    const auto x = torch::randn({16, 7, 5}) + 2.0;
    add(regression, draw, x, torch::linear(x, weight, bias));
  }
  const auto found = regression.solve();
  EXPECT_LT(distance(found.weight, weight), kClose);
  EXPECT_LT(distance(found.offset, bias), kClose * 5);
  EXPECT_LT(found.error_after, found.error_before * kClose);
}

// LibTorch's own convolution says what belongs to which place, at the border too.
TEST(Regression, FindsAConvolution) {
  torch::manual_seed(1);
  for (const std::int64_t groups : {1, 2, 4}) {
    const auto layer = convolution({8, 4 / groups, 3, 3}, groups);
    const auto weight = torch::randn(layer.weight.sizes());
    const auto bias = torch::randn({8});
    Regression regression(layer);
    RowDraw draw(layer, 400000, 4);
    for (int i = 0; i < 4; ++i) {
      const auto x = torch::randn({16, 4, 7, 9}) + 1.0;
      add(regression, draw, x, torch::conv2d(x, weight, bias, 2, 1, 1, groups));
    }
    const auto found = regression.solve();
    EXPECT_LT(distance(found.weight, weight), kClose) << groups;
    EXPECT_LT(distance(found.offset, bias), kClose * 5) << groups;
  }
}

TEST(Regression, FindsAConvolutionInOneDimension) {
  torch::manual_seed(2);
  const auto layer = convolution({6, 4, 5}, 1);
  const auto weight = torch::randn({6, 4, 5});
  Regression regression(layer);
  const auto x = torch::randn({64, 4, 30});
  RowDraw draw(layer, 100000, 1);
  add(regression, draw, x, torch::conv1d(x, weight, {}, 2, 1));
  EXPECT_LT(distance(regression.solve().weight, weight), kClose);
}

TEST(Regression, ALayerWithoutBiasGetsNoOffset) {
  torch::manual_seed(3);
  auto layer = linear_layer(2, 3);
  layer.bias = torch::Tensor();
  Regression regression(layer);
  const auto x = torch::randn({64, 3}) + 1.0;
  RowDraw draw(layer, 1000, 1);
  add(regression, draw, x, torch::linear(x, torch::ones({2, 3})) + 5.0);
  EXPECT_EQ(regression.solve().offset.abs().max().item<double>(), 0.0);
}

// More weights than examples, and nothing to learn: what fits them helps nothing on others.
TEST(Regression, LeavesNoiseAlone) {
  torch::manual_seed(4);
  const auto layer = linear_layer(4, 200);
  Regression regression(layer);
  RowDraw draw(layer, 1000, 1);
  add(regression, draw, torch::randn({64, 200}), torch::randn({64, 4}));
  const auto found = regression.solve();
  EXPECT_LE(found.error_after, found.error_before);
  EXPECT_LT(found.weight.norm().item<double>(), 1.0);
}

TEST(Regression, DeadInputsAreNoMatter) {
  torch::manual_seed(5);
  const auto layer = linear_layer(2, 4);
  Regression regression(layer);
  auto x = torch::randn({64, 4});
  x.select(1, 2).zero_();
  RowDraw draw(layer, 1000, 1);
  add(regression, draw, x, torch::ones({64, 2}));
  const auto found = regression.solve();
  EXPECT_TRUE(found.weight.isfinite().all().item<bool>());
  EXPECT_NEAR(found.offset[0].item<double>(), 1.0, kClose);
}

// The layers that a default calibration solves for, VGG's and ResNet's widest among them, fit into
// what it grants; little memory is for narrow ones.
TEST(Regression, TakesMemoryForItsFeatures) {
  EXPECT_GE(Regression::widest(500'000'000), 512 * 9);
  EXPECT_LT(Regression::widest(500'000'000), 1024 * 9);
  EXPECT_GT(Regression::widest(20 * 100 * 100 + 1000), 99);
  EXPECT_LE(Regression::widest(20 * 100 * 100), 100);
}

}  // namespace
}  // namespace actswap
