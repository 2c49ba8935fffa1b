#include <actswap/calibrate/shift.h>

#include <torch/script.h>
#include <torch/utils.h>

#include <gtest/gtest.h>

namespace actswap {
namespace {

torch::Tensor samples() {
  torch::manual_seed(0);
  return torch::randn({3, 4000});
}

double rest(const torch::Tensor& a, const torch::Tensor& b) {
  return (a - b).var(1).sum().item<double>();
}

// The function itself needs no change.
TEST(Shift, TheSameFunctionStays) {
  const auto x = samples();
  const auto change = best_input_change({x, x, torch::relu(x)}, torch::relu, Behind::layers, false);
  EXPECT_TRUE(torch::equal(change.shift, torch::zeros({3})));
  EXPECT_TRUE(torch::equal(change.scale, torch::ones({3})));
}

// What earlier sites moved is moved back, channel by channel.
TEST(Shift, MovesTheMeanBack) {
  const auto x = samples();
  const auto moved = x + torch::tensor({0.5, -1.0, 0.0}).unsqueeze(1);
  const auto change =
      best_input_change({moved, x, torch::relu(x)}, torch::relu, Behind::sum, false);
  EXPECT_TRUE(torch::allclose(change.shift, torch::tensor({-0.5, 1.0, 0.0}), 0.0, 1e-4));
}

TEST(Shift, BringsReluNearerToMish) {
  const auto x = samples();
  const auto y = torch::mish(x);
  const auto change = best_input_change({x, x, y}, torch::relu, Behind::sum, false);
  EXPECT_GT(change.shift.min().item<double>(), 0.2);
  EXPECT_LT(rest(torch::relu(x + change.shift.unsqueeze(1)), y), 0.6 * rest(torch::relu(x), y));
}

// Where no layer can take an offset away, the output itself is to be near.
TEST(Shift, WithNothingBehindTheOutputIsNear) {
  const auto x = samples();
  const auto y = torch::mish(x);
  const auto error = [&](const torch::Tensor& shift) {
    return (torch::relu(x + shift.unsqueeze(1)) - y).square().mean().item<double>();
  };
  const auto change = best_input_change({x, x, y}, torch::relu, Behind::nothing, false);
  const auto offset_is_free = best_input_change({x, x, y}, torch::relu, Behind::sum, false);
  EXPECT_LE(error(change.shift), error(torch::zeros({3})));
  EXPECT_LT(error(change.shift), 0.5 * error(offset_is_free.shift));
}

// Where relu as it is gives nothing but 0: the parabola of a hardswish begins at -3.
TEST(Shift, GoesFartherForAChannelThatIsLost) {
  torch::manual_seed(0);
  const auto x = 0.3 * torch::randn({1, 4000}) - 2.0;
  const auto y = torch::hardswish(x);
  const auto change = best_input_change({x, x, y}, torch::relu, Behind::layers, false);
  EXPECT_GT(change.shift.item<double>(), 1.8);
  const auto a = torch::relu(x + change.shift);
  EXPECT_GT(torch::corrcoef(torch::cat({a, y}))[0][1].square().item<double>(), 0.8);
}

// A gated output cannot be given an offset by what is behind.
TEST(Shift, BehindAGateTheOutputKeepsItsZero) {
  const auto x = samples();
  const auto y = torch::hardswish(x);
  const auto error = [&](const torch::Tensor& shift) {
    const auto a = torch::relu(x + shift.unsqueeze(1));
    const auto factor = (a * y).sum(1, true) / (a * a).sum(1, true);
    return (factor * a - y).square().mean().item<double>();
  };
  const auto gated = best_input_change({x, x, y}, torch::relu, Behind::gate, false);
  const auto free = best_input_change({x, x, y}, torch::relu, Behind::layers, false);
  EXPECT_LE(error(gated.shift), error(torch::zeros({3})));
  EXPECT_LT(error(gated.shift), 0.7 * error(free.shift));
}

// A scale is used where it may be, and only there.
TEST(Shift, ScalesWhatIsNotHomogeneous) {
  const auto x = samples();
  const auto y = torch::hardtanh(2.0 * x);
  const auto hardtanh = [](const torch::Tensor& v) { return torch::hardtanh(v); };
  EXPECT_TRUE(torch::equal(best_input_change({x, x, y}, hardtanh, Behind::layers, true).scale,
                           torch::full({3}, 2.0)));
  EXPECT_TRUE(torch::equal(best_input_change({x, x, y}, hardtanh, Behind::layers, false).scale,
                           torch::ones({3})));
}

}  // namespace
}  // namespace actswap
