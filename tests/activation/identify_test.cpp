#include <actswap/activation/identify.h>

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace actswap {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();

std::string name_of(double (*function)(double), const std::set<double>& constants = {},
                    bool leaves_range = false) {
  const auto values = [&](std::span<const double> points) {
    std::vector<FormValue> found;
    for (const double x : points) {
      found.push_back({function(x), leaves_range});
    }
    return std::optional(found);
  };
  const auto spec = identify({values, constants, kRounding});
  return spec ? spec->to_string() : "";
}

TEST(Identify, EveryRowIsItself) {
  for (const auto& row : activations()) {
    const auto expected = resolve(row.name);
    const auto values = [&](std::span<const double> points) {
      std::vector<FormValue> found;
      for (const double x : points) {
        found.push_back({expected.value(x)});
      }
      return std::optional(found);
    };
    const auto spec = identify({values, {}, kRounding});
    ASSERT_TRUE(spec) << row.name;
    // celu(1) is elu(1), and aptx(1, 1, 1/2) is swish(2), which no constant here stands for.
    EXPECT_EQ(spec->to_string(), row.name == "celu"    ? "elu"
                                 : row.name == "swish" ? "silu"
                                                       : row.name);
  }
}

TEST(Identify, RoundedConstantsPassAndOtherFunctionsDoNot) {
  EXPECT_EQ(name_of([](double x) { return x * 0.5 * (1.0 + std::erf(x / 1.4142)); }), "gelu");
  EXPECT_EQ(name_of([](double x) { return 0.1667 * std::min(std::max(x + 3.0, 0.0), 6.0); }),
            "hardsigmoid");
  EXPECT_EQ(name_of([](double x) { return x * 0.5 * (1.0 + std::erf(x / 1.41)); }), "");
  EXPECT_EQ(name_of([](double x) { return x / (1.0 + std::exp(-1.70 * x)); }, {1.70}),
            "swish(beta=1.7)");
  EXPECT_EQ(name_of([](double x) { return x / (1.0 + std::exp(-1.702 * x)); }, {1.702}),
            "quick_gelu");
}

// The farthest and the nearest points are the form's own, at its constants and their inverses.
TEST(Identify, ConstantsChooseWhereToLook) {
  const auto bump = [](double x) {
    return std::max(x, 0.0) + (x > 4000.0 && x < 5000.0 ? 100.0 : 0.0);
  };
  EXPECT_EQ(name_of(bump), "relu");
  EXPECT_EQ(name_of(bump, {4000.0}), "");
  EXPECT_EQ(name_of(bump, {1.0 / 4000.0}), "");
}

TEST(Identify, LimitsCount) {
  EXPECT_EQ(name_of([](double x) { return std::min(std::max(x, 0.0), 1e300); }), "");
  EXPECT_EQ(name_of([](double x) { return x / (1.0 + std::exp(-x)); }), "silu") << "NaN at -inf";
}

// Only far out, and only where the form itself holds no infinity.
TEST(Identify, WhatOverflowsIsNoDifference) {
  const auto softplus = [](double x) { return std::log(1.0 + std::exp(x)); };
  EXPECT_EQ(name_of(softplus, {1.0}, true), "softplus");
  EXPECT_EQ(name_of(softplus, {1.0}, false), "");
  EXPECT_EQ(name_of(softplus, {1.0, kInf}, true), "");
  const auto hole = [](double x) { return std::abs(x) < 1.0 ? kInf : std::max(x, 0.0); };
  EXPECT_EQ(name_of(hole, {}, true), "");
}

TEST(Identify, LinesAndParametersThatMakeNoFunctionAreNone) {
  EXPECT_EQ(name_of([](double x) { return x; }, {1.0}), "") << "leaky_relu(1)";
  EXPECT_EQ(name_of([](double x) { return 0.5 * x; }, {0.0}), "") << "swish(0)";
  EXPECT_EQ(name_of([](double x) { return std::max(x, 0.0); }, {0.0, kInf, std::nan("")}), "relu")
      << "not celu(0)";
}

}  // namespace
}  // namespace actswap
