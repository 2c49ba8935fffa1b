#include <actswap/calibrate/regression.h>
#include <actswap/calibrate/shift_step.h>

#include <torch/script.h>
#include <torch/utils.h>

#include <gtest/gtest.h>

#include <utility>
#include <vector>

namespace actswap {
namespace {

torch::Tensor derivative(const torch::Tensor& z) {
  auto with_grad = z.clone().requires_grad_();
  torch::mish(with_grad).sum().backward();
  return with_grad.grad();
}

// The output of a layer behind mish, whose inputs were shifted a little: the step finds by how much
// from what the best layer without the shifts lacks.
void expect_found(Layer layer, const torch::Tensor& z, const torch::Tensor& shift,
                  const std::function<torch::Tensor(const torch::Tensor&)>& apply) {
  auto shape = std::vector<std::int64_t>(static_cast<std::size_t>(z.dim()), 1);
  shape[layer.is_convolution ? 1 : shape.size() - 1] = -1;
  const auto x = torch::mish(z);
  const auto wanted = apply(torch::mish(z + shift.reshape(shape)));
  const auto slope = derivative(z);
  std::vector<LayerRows> drawn;
  RowDraw(layer, 1 << 20, 1)
      .draw({.input = x, .original = wanted, .site_input = slope},
            [&](LayerRows rows) { drawn.push_back(std::move(rows)); });
  Regression regression(layer);
  for (const auto& rows : drawn) {
    regression.add(rows);
  }
  const auto correction = regression.solve();
  layer.weight += correction.weight;
  layer.bias += correction.offset;
  ShiftStep step(layer);
  for (auto& rows : drawn) {
    rows.lacking -=
        torch::bmm(rows.x, weight_of_rows(layer, correction.weight)) + correction.offset;
    step.add(rows, rows.site_input);
  }
  const auto found = step.solve();
  EXPECT_LT((found - shift).norm().item<double>(), 0.2 * shift.norm().item<double>())
      << found << shift;
}

TEST(ShiftStep, FindsTheShiftsBehindALinearLayer) {
  torch::manual_seed(0);
  Layer layer;
  layer.weight = torch::randn({12, 6});
  layer.bias = torch::zeros({12});
  expect_found(layer, torch::randn({64, 40, 6}), 0.1 * torch::randn({6}),
               [&](const auto& x) { return torch::linear(x, layer.weight, layer.bias); });
}

TEST(ShiftStep, FindsTheShiftsBehindAConvolution) {
  torch::manual_seed(1);
  Layer layer;
  layer.weight = torch::randn({8, 5, 3, 3});
  layer.bias = torch::zeros({8});
  layer.is_convolution = true;
  layer.geometry.stride = {1};
  layer.geometry.padding = {1};
  layer.geometry.dilation = {1};
  expect_found(layer, torch::randn({32, 5, 7, 7}), 0.1 * torch::randn({5}),
               [&](const auto& x) { return torch::conv2d(x, layer.weight, layer.bias, 1, 1); });
}

}  // namespace
}  // namespace actswap
