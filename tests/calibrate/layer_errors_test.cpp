// What channels and layers count in the error of all layers.
#include <actswap/calibrate/layer_errors.h>
#include <actswap/graph/model.h>
#include <actswap/graph/retarget.h>

#include <gtest/gtest.h>
#include <torch/script.h>

#include <string>

namespace actswap {
namespace {

// A first layer, whose input no blend gives, and layers behind activations.
Model net_with_heads(const std::string& body) {
  torch::manual_seed(5);
  torch::jit::Module module("network");
  module.register_parameter("first", torch::randn({12, 6}), false);
  module.register_parameter("hidden", torch::randn({12, 12}), false);
  module.register_parameter("left", torch::randn({3, 12}), false);
  module.register_parameter("right", torch::randn({2, 12}), false);
  module.define("def forward(self, x):\n" + body);
  return adopt(module);
}

constexpr const char* kOneHead =
    "  y = torch.gelu(torch.linear(x, self.first))\n"
    "  y = torch.gelu(torch.linear(y, self.hidden))\n"
    "  return torch.linear(y, self.left)\n";
constexpr const char* kTwoHeads =
    "  y = torch.gelu(torch.linear(x, self.first))\n"
    "  y = torch.gelu(torch.linear(y, self.hidden))\n"
    "  return torch.linear(y, self.left), torch.linear(y, self.right)\n";

struct HeadsSetting {
  Model model;
  Retargeter swap;
  Program program;
  Neighbourhood neighbours;

  explicit HeadsSetting(const std::string& body)
      : model(net_with_heads(body)),
        swap(model, plan(model, {.to = "relu"})),
        program(swap.module()),
        neighbours(find_neighbours(program)) {}

  LayerErrors errors() const { return {program, neighbours}; }
};

// A channel of large variance counts for more, in front of an activation too.
TEST(LayerErrors, ChannelsCountByTheirShareOfTheVariance) {
  const HeadsSetting setting(kOneHead);
  const auto errors = setting.errors();
  ASSERT_EQ(errors.moments().size(), 2U);
  const auto original = torch::tensor({{10.0, 1.0}, {-10.0, -1.0}});
  const auto zero = torch::zeros({2, 3});
  const auto of = [&](double first, double second) {
    const auto values = original * torch::tensor({first, second});
    return errors.mean({values, zero}, {original, zero}).item<double>();
  };
  // One of two layers; a channel turned over lacks 2 deviations, squared.
  EXPECT_NEAR(of(1.0, -1.0), 0.5 * 4.0 * (1.0 / 101.0), 1e-7);
  EXPECT_NEAR(of(-1.0, 1.0), 0.5 * 4.0 * (100.0 / 101.0), 1e-7);
  EXPECT_NEAR(of(3.0, 0.5), 0.0, 1e-7) << "scales are made up for";
}

// What is left of a layer that units were cut out of may become something else.
TEST(LayerErrors, CutLayersCountLessAndTheLastMore) {
  HeadsSetting setting(kOneHead);
  ASSERT_EQ(setting.neighbours.layers.size(), 2U);
  setting.neighbours.layers[0].kept_outputs = torch::tensor({1}, torch::kLong);
  const auto errors = setting.errors();
  const auto inner = torch::tensor({{10.0, 1.0}, {-10.0, -1.0}});
  const auto kept = inner.narrow(1, 1, 1);
  const auto last = torch::tensor({{1.0, -1.0}, {-1.0, 1.0}});
  EXPECT_NEAR(errors.mean({-kept, last}, {inner, last}).item<double>(), 0.1 * 4.0 / 4.1, 1e-6);
  EXPECT_NEAR(errors.mean({kept, 0.0 * last}, {inner, last}).item<double>(), 4.0 * 1.0 / 4.1, 1e-6);
}

TEST(LayerErrors, EveryLayerThatNoOtherFollowsIsALastOne) {
  HeadsSetting setting(kTwoHeads);
  ASSERT_EQ(setting.neighbours.layers.size(), 3U);
  setting.neighbours.layers[0].kept_outputs = torch::arange(2);
  const auto errors = setting.errors();
  const auto values = torch::tensor({{1.0, -1.0}, {-1.0, 1.0}});
  const auto of = [&](double inner, double left, double right) {
    const auto found =
        errors.mean({inner * values, left * values, right * values}, {values, values, values});
    return found.item<double>();
  };
  EXPECT_NEAR(of(-1.0, 1.0, 1.0), 0.1 * 4.0 / 8.1, 1e-6);
  EXPECT_NEAR(of(1.0, 0.0, 1.0), 4.0 * 1.0 / 8.1, 1e-6);
  EXPECT_NEAR(of(1.0, 1.0, 0.0), 4.0 * 1.0 / 8.1, 1e-6);
}

// Nothing behind the model makes up for a shift of what it returns.
TEST(LayerErrors, ReturnedActivationsCountAsTheyAre) {
  const HeadsSetting setting(
      "  y = torch.gelu(torch.linear(x, self.first))\n"
      "  y = torch.gelu(torch.linear(y, self.hidden))\n"
      "  return y, torch.linear(y, self.left)\n");
  ASSERT_EQ(setting.neighbours.sites.size(), 2U);
  EXPECT_FALSE(setting.neighbours.sites[0].is_returned);
  EXPECT_TRUE(setting.neighbours.sites[1].is_returned);
  const auto errors = setting.errors();
  ASSERT_EQ(errors.moments().size(), 3U);
  EXPECT_EQ(errors.moments()[2].value, setting.neighbours.sites[1].output);
  const auto values = torch::tensor({{1.0, -1.0}, {-1.0, 1.0}});
  const auto of = [&](const torch::Tensor& before, const torch::Tensor& returned) {
    return errors.mean({before, values, returned}, {values, values, values}).item<double>();
  };
  EXPECT_NEAR(of(2.0 * values, values), 1.0 / 3.0, 1e-6) << "the layer before it";
  EXPECT_NEAR(of(values, values + 1.0), 1.0 / 3.0, 1e-6);
}

}  // namespace
}  // namespace actswap
