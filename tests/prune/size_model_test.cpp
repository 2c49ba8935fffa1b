// How the size of a model, and the time that it takes, follow its units.
#include <actswap/graph/model.h>
#include <actswap/prune/size_model.h>

#include <torch/script.h>

#include <gtest/gtest.h>

#include "calibrate/written.h"

namespace actswap {
namespace {

constexpr char kCode[] =
    "    y = torch.relu(torch.linear(x, self.w1, self.b1))\n"
    "    z = torch.relu(torch.linear(y, self.w2))\n"
    "    return torch.linear(z, self.w3)\n";

struct Perceptron {
  torch::jit::Module module =
      written("Perceptron", {{"w1", {8, 3}}, {"b1", {8}}, {"w2", {6, 8}}, {"w3", {2, 6}}}, kCode);
  Units units = find_units(module, {torch::randn({2, 3})});
  std::vector<bool> all = {true, true};

  const void* memory_of(const std::string& name) const {
    return module.attr(name).toTensor().storage().data();
  }
};

TEST(SizeModelOf, CountsParametersAndMultiplications) {
  const Perceptron net;
  ASSERT_EQ(net.units.groups.size(), 2U);
  const auto sizes = size_model(net.module, net.units, net.all);
  EXPECT_EQ(sizes.parameters({8, 6}), static_cast<double>(parameter_count(net.module)));
  EXPECT_EQ(sizes.parameters({5, 4}), 5 * 3 + 5 + 4 * 5 + 2 * 4);
  EXPECT_EQ(sizes.prunable_multiplications({5, 4}), 5 * 3 + 4 * 5 + 2 * 4);
}

// 24 elements take 2 ms, 8 of a bias 1 ms, 48 of the second weight 4 ms; the third was not seen.
TEST(TimeModelOf, TakesTimesInProportionToElements) {
  const Perceptron net;
  const auto times = time_model(
      net.module, net.units, net.all,
      {{net.memory_of("w1"), 2.0}, {net.memory_of("b1"), 1.0}, {net.memory_of("w2"), 4.0}});
  EXPECT_NEAR(times.prunable_multiplications({8, 6}), 7.0, 1e-12);
  EXPECT_NEAR(times.prunable_multiplications({4, 6}), 1.0 + 0.5 + 2.0, 1e-12);
  EXPECT_NEAR(times.prunable_multiplications({8, 3}), 2.0 + 1.0 + 2.0, 1e-12);
}

// The second group's layer is as small as the first's and takes ten times as long: it goes first.
TEST(TimeModelOf, TheQueueGoesByMilliseconds) {
  const Perceptron net;
  const auto times = time_model(net.module, net.units, net.all,
                                {{net.memory_of("w1"), 0.1}, {net.memory_of("w3"), 1.0}});
  const auto curve = [](std::int64_t units) {
    GroupCurve rising = {.units = units, .loss = {}};
    for (std::int64_t i = 0; i <= units; ++i) {
      rising.loss.push_back(0.01 * static_cast<double>(i));
    }
    return rising;
  };
  const auto size = [&](const std::vector<std::int64_t>& kept) {
    return times.prunable_multiplications(kept);
  };
  EXPECT_EQ(choose_counts({curve(8), curve(6)}, size, 0.61, 1), (std::vector<std::int64_t>{8, 3}));
}

}  // namespace
}  // namespace actswap
