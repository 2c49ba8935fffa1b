#include <actswap/calibrate/channel_fit.h>

#include <torch/script.h>
#include <torch/utils.h>

#include <gtest/gtest.h>

namespace actswap {
namespace {

TEST(ChannelFit, FindsALineForEachChannel) {
  torch::manual_seed(1);
  const auto factor = torch::rand({3}, torch::kDouble) + 0.5;
  const auto offset = torch::randn({3}, torch::kDouble);
  ChannelFit fit(3, 1, true);
  for (int i = 0; i < 2; ++i) {
    const auto u = torch::randn({20, 3, 4}, torch::kDouble);
    fit.add(u, u * factor.unsqueeze(1) + offset.unsqueeze(1));
  }
  const auto line = fit.solve();
  EXPECT_TRUE(torch::allclose(line.factor, factor, 1e-5, 1e-5));
  EXPECT_TRUE(torch::allclose(line.offset, offset, 1e-5, 1e-5));
}

TEST(ChannelFit, WithoutAnOffsetItGoesThroughZero) {
  torch::manual_seed(2);
  const auto u = torch::randn({50, 2}) + 1.0;
  ChannelFit fit(2, -1, false);
  fit.add(u, 3.0 * u);
  EXPECT_TRUE(torch::allclose(fit.solve().factor, torch::full({2}, 3.0, torch::kDouble), 1e-5));
  EXPECT_EQ(fit.solve().offset.abs().max().item<double>(), 0.0);
}

TEST(ChannelFit, AConstantChannelIsMovedAndNotScaled) {
  ChannelFit fit(1, 1, true);
  fit.add(torch::full({8, 1}, 2.0), torch::full({8, 1}, 5.0));
  EXPECT_EQ(fit.solve().factor.item<double>(), 1.0);
  EXPECT_NEAR(fit.solve().offset.item<double>(), 3.0, 1e-6);
}

// A layer of groups without padding computes from u what it computed from a u + b.
TEST(ChannelFit, FoldedIntoALayerItIsExact) {
  torch::manual_seed(3);
  Layer layer;
  layer.weight = torch::randn({6, 2, 3, 3});
  layer.bias = torch::randn({6});
  layer.is_convolution = true;
  layer.geometry.groups = 2;
  const ChannelFit::Line line = {torch::rand({4}, torch::kDouble) + 0.5,
                                 torch::randn({4}, torch::kDouble)};
  const auto u = torch::randn({5, 4, 7, 7});
  const auto run = [&](const torch::Tensor& x, const torch::Tensor& weight,
                       const torch::Tensor& bias) {
    return torch::conv2d(x, weight, bias, {1, 1}, at::IntArrayRef({0, 0}), {1, 1},
                         layer.geometry.groups);
  };
  const auto shape = std::vector<std::int64_t>{4, 1, 1};
  const auto moved = u * line.factor.reshape(shape) + line.offset.reshape(shape);
  const auto expected = run(moved.to(torch::kFloat), layer.weight, layer.bias);
  const auto change = folded(layer, line);
  const auto found = run(u, layer.weight + change.weight, layer.bias + change.offset);
  EXPECT_TRUE(torch::allclose(found, expected, 1e-4, 1e-4));
}

}  // namespace
}  // namespace actswap
