// Holds every row of the table to outside references: ATen's own operators, the TorchScript
// expression run by LibTorch, numeric differentiation, and published figures. Rows are found by the
// tests, so a new one is held to them without being named here.
#include <actswap/activation/activation.h>
#include <gtest/gtest.h>
#include <torch/jit.h>
#include <torch/script.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <numbers>
#include <random>
#include <sstream>
#include <string>
#include <vector>

namespace actswap {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

// Every row with its defaults, its aliases' parameters, and two more sets of parameters.
std::vector<ActivationSpec> all_specs() {
  std::vector<ActivationSpec> specs;
  for (const auto& row : activations()) {
    const auto add = [&](const std::function<double(double)>& change) {
      ActivationSpec spec{&row, {}};
      for (const auto& parameter : row.parameters) {
        spec.parameters.push_back(change(parameter.default_value));
      }
      specs.push_back(std::move(spec));
    };
    add([](double v) { return v; });
    for (const auto& alias : row.aliases) {
      specs.push_back({&row, alias.parameters});
    }
    if (!row.parameters.empty()) {
      add([](double v) { return 1.37 * v + 0.21; });
      add([](double v) { return 0.5 * v; });
    }
  }
  return specs;
}

bool near_a_kink(const ActivationSpec& spec, double x, double distance) {
  const auto kinks = spec.kinks();
  return std::any_of(kinks.begin(), kinks.end(),
                     [&](double kink) { return std::abs(x - kink) < distance; });
}

// A fixed sample: the middle, the tails, around the kinks, zeros of both signs and denormals.
std::vector<double> sample(const ActivationSpec& spec) {
  std::vector<double> xs = {-0.0, 0.0, 5e-324, -5e-324, 1e-310, -1e-310, 1e-8, -1e-8};
  for (const double tail : {15.0, 20.5, 30.0, 44.0, 45.0, 89.0, 100.0, 700.0, 800.0, 1000.0}) {
    xs.push_back(tail);
    xs.push_back(-tail);
  }
  for (const double kink : spec.kinks()) {
    for (const double step : {-1e-3, -1e-6, 0.0, 1e-6, 1e-3}) {
      xs.push_back(kink + step);
    }
  }
  std::mt19937 generator(7);
  std::normal_distribution<double> normal(0.0, 3.0);
  for (int i = 0; i < 500; ++i) {
    xs.push_back(normal(generator));
  }
  return xs;
}

struct Run {
  torch::Tensor value;
  torch::Tensor gradient;
};

Run run_script(const std::string& expression, const std::vector<double>& xs,
               torch::ScalarType type) {
  const auto unit =
      torch::jit::compile("def f(x: Tensor) -> Tensor:\n    return " + expression + "\n");
  auto x = torch::tensor(xs, torch::kDouble).to(type).requires_grad_();
  const auto y = unit->run_method("f", x).toTensor();
  EXPECT_EQ(y.scalar_type(), type) << expression;
  y.sum().backward();
  return {y.detach().to(torch::kDouble), x.grad().to(torch::kDouble)};
}

// ATen holds celu's 1 / alpha and hardsigmoid's 1 / 6 in single precision, whatever the tensor,
// when it computes their gradients.
double gradient_tolerance(const ActivationSpec& spec, const std::string& expression) {
  const bool is_single =
      spec.activation->name == "celu" || expression.find("hardsigmoid") != std::string::npos;
  return is_single ? 1e-7 : 1e-10;
}

// 1e-12 of the value; and what cancellation against 1 costs, as in x (1 + tanh(x)) at -15.
void expect_matches(const ActivationSpec& spec, const std::string& expression) {
  const auto xs = sample(spec);
  const auto run = run_script(expression, xs, torch::kDouble);
  for (std::size_t i = 0; i < xs.size(); ++i) {
    const auto at = static_cast<std::int64_t>(i);
    const double x = xs[i];
    const double value = spec.value(x);
    const double derivative = spec.derivative(x);
    const double rounding = 1e-15 * (1.0 + std::abs(x));
    EXPECT_NEAR(run.value[at].item<double>(), value, 1e-12 * std::abs(value) + rounding)
        << spec.to_string() << " = " << expression << " at " << x;
    if (!near_a_kink(spec, x, 1e-9)) {
      EXPECT_NEAR(run.gradient[at].item<double>(), derivative,
                  gradient_tolerance(spec, expression) * std::max(1.0, std::abs(derivative)))
          << "derivative of " << spec.to_string() << " = " << expression << " at " << x;
    }
  }
}

TEST(Activations, ExpressionIsTheFunction) {
  for (const auto& spec : all_specs()) {
    expect_matches(spec, spec.torchscript());
    expect_matches(spec, spec.inference_torchscript());
  }
}

std::string exact(double value) {
  std::ostringstream text;
  text.precision(17);
  text << std::showpoint << value;
  return text.str();
}

// The call that a spelling describes for these parameters; "" if the operator cannot mean them.
std::string call(const ActivationSpec& spec, const AtenSpelling& spelling) {
  const auto& parameters = spec.activation->parameters;
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    const auto fixed = spelling.fixed_parameters.find(parameters[i].name);
    if (fixed != spelling.fixed_parameters.end() && fixed->second != spec.parameters[i]) {
      return "";
    }
  }
  std::string text = "torch." + spelling.op + "(x";
  for (std::size_t i = 0; i < spelling.parameter_arguments.size(); ++i) {
    text += ", " + spelling.parameter_arguments[i] + "=" + exact(spec.parameters[i]);
  }
  for (const auto& [argument, value] : spelling.required) {
    text += ", " + argument + "=" + (value == "inf" ? "float('inf')" : value);
  }
  return text + ")";
}

TEST(Activations, SpellingsMeanTheRow) {
  for (const auto& row : activations()) {
    for (const auto& spelling : row.spellings) {
      // The operators' arguments follow the row's parameters, or hold them fixed.
      EXPECT_EQ(spelling.parameter_arguments.size() + spelling.fixed_parameters.size(),
                row.parameters.size())
          << row.name << " as " << spelling.op;
      int calls = 0;
      for (const auto& spec : all_specs()) {
        const auto text = spec.activation == &row ? call(spec, spelling) : "";
        if (!text.empty()) {
          expect_matches(spec, text);
          ++calls;
        }
      }
      EXPECT_GT(calls, 0) << row.name << " as " << spelling.op;
    }
  }
}

// Fourth order, so that 1e-9 is within reach; where only the second derivative jumps (0) it is not.
TEST(Activations, DerivativeIsTheSlope) {
  constexpr double kStep = 1e-3;
  for (const auto& spec : all_specs()) {
    for (const double x : sample(spec)) {
      if (near_a_kink(spec, x, 3 * kStep) || std::abs(x) < 3 * kStep || std::abs(x) > 50.0) {
        continue;
      }
      const auto f = [&](double step) { return spec.value(x + step * kStep); };
      const double slope = (8.0 * (f(1.0) - f(-1.0)) - (f(2.0) - f(-2.0))) / (12.0 * kStep);
      EXPECT_NEAR(spec.derivative(x), slope, 1e-9 * std::max(1.0, std::abs(x)))
          << spec.to_string() << " at " << x;
    }
  }
}

TEST(Activations, KinksAreWhereTheDerivativeJumps) {
  for (const auto& spec : all_specs()) {
    for (const double kink : spec.kinks()) {
      const double step = 1e-9 * (1.0 + std::abs(kink));
      const double left = spec.derivative(kink - step);
      EXPECT_GT(std::abs(spec.derivative(kink + step) - left), 1e-13)
          << spec.to_string() << " has no kink at " << kink;
      EXPECT_NEAR(spec.derivative(kink), left, 1e-7)
          << spec.to_string() << " at " << kink << ": not the derivative from the left";
    }
    for (int i = -4000; i <= 4000; ++i) {  // no others, nor in the value
      const double x = 0.01 * i;
      const double before = x - 1e-9;
      const double after = x + 1e-9;
      // Softplus leaves out e^-threshold / beta from its kink on, as ATen does.
      const bool cut = spec.activation->name == "softplus" && near_a_kink(spec, x, 1e-8);
      EXPECT_NEAR(spec.value(before), spec.value(after), cut ? 1e-4 : 1e-8)
          << spec.to_string() << " at " << x;
      if (!near_a_kink(spec, x, 1e-8)) {
        EXPECT_NEAR(spec.derivative(before), spec.derivative(after), 1e-7)
            << spec.to_string() << " at " << x;
      }
    }
  }
}

TEST(Activations, InfinityHasALimit) {
  for (const auto& spec : all_specs()) {
    for (const double side : {-1.0, 1.0}) {
      const double value = spec.value(side * kInfinity);
      EXPECT_FALSE(std::isnan(value)) << spec.to_string() << " at " << side << " inf";
      EXPECT_NEAR(spec.derivative(side * kInfinity), spec.derivative(side * 1e4), 1e-7)
          << spec.to_string() << " at " << side << " inf";
      EXPECT_TRUE(std::isfinite(spec.value(side * 1e300))) << spec.to_string();
      EXPECT_TRUE(std::isfinite(spec.derivative(side * 1e300))) << spec.to_string();
    }
    EXPECT_TRUE(std::isnan(spec.value(std::nan("")))) << spec.to_string();
  }
  for (const char* vanishing : {"relu", "hard_mish", "silu", "mish", "gelu", "gelu_tanh", "aptx",
                                "aptx_mish", "swish_mish", "hardswish", "relu6"}) {
    EXPECT_EQ(resolve(vanishing).value(-kInfinity), 0.0) << vanishing;
  }
  for (const char* unbounded : {"silu", "mish", "gelu", "aptx"}) {
    EXPECT_EQ(resolve(unbounded).value(-1000.0), 0.0) << unbounded;
    EXPECT_TRUE(std::signbit(resolve(unbounded).value(-1000.0))) << unbounded;
    EXPECT_EQ(resolve(unbounded).value(1000.0), 1000.0) << unbounded;
  }
}

TEST(Activations, SinglePrecisionKeepsItsDigits) {
  for (const auto& spec : all_specs()) {
    auto xs = sample(spec);
    for (double& x : xs) {
      x = static_cast<float>(x);
    }
    const auto run = run_script(spec.torchscript(), xs, torch::kFloat);
    EXPECT_TRUE(run.value.isfinite().all().item<bool>()) << spec.to_string();
    EXPECT_TRUE(run.gradient.isfinite().all().item<bool>()) << spec.to_string();
    for (std::size_t i = 0; i < xs.size(); ++i) {
      const double value = spec.value(xs[i]);
      EXPECT_NEAR(run.value[static_cast<std::int64_t>(i)].item<double>(), value,
                  1e-5 * std::abs(value) + 1e-6 * std::min(1.0, std::abs(xs[i])))
          << spec.to_string() << " at " << xs[i];
    }
  }
}

// (x, f(x)) of the lowest point on a fine grid.
std::pair<double, double> minimum(const char* name) {
  const auto spec = resolve(name);
  std::pair<double, double> lowest = {0.0, kInfinity};
  for (int i = -500000; i <= 0; ++i) {
    const double x = 1e-5 * i;
    if (const double y = spec.value(x); y < lowest.second) {
      lowest = {x, y};
    }
  }
  return lowest;
}

TEST(Activations, PublishedFigures) {
  EXPECT_NEAR(minimum("mish").first, -1.1924, 5e-5);
  EXPECT_NEAR(minimum("mish").second, -0.30884, 5e-6);
  EXPECT_NEAR(minimum("hard_mish").first, -1.0, 1e-4);
  EXPECT_NEAR(minimum("hard_mish").second, -0.5, 1e-9);
  const auto expect_same = [](const char* left, const char* right) {
    const auto a = resolve(left);
    const auto b = resolve(right);
    for (const double x : sample(a)) {
      EXPECT_NEAR(a.value(x), b.value(x), 1e-14 * std::abs(b.value(x))) << left << " at " << x;
      EXPECT_NEAR(a.derivative(x), b.derivative(x), 1e-14) << left << " at " << x;
    }
  };
  expect_same("aptx", "swish(2)");
  expect_same("aptx(1, 0.5, 0.5)", "silu");
  expect_same("aptx_mish(0.5)", "swish_mish");
  expect_same("quick_gelu", "swish(beta=1.702)");
  const auto sigmoid = resolve("sigmoid");
  const auto swish_mish = resolve("swish_mish");
  for (const double x : sample(swish_mish)) {
    const double expected = x * sigmoid.value(x + std::max(x, 0.0));
    EXPECT_NEAR(swish_mish.value(x), expected, 1e-14 * std::abs(expected));
  }
}

// Root mean square of a - b under N(0, 1).
double distance(const char* a, const char* b) {
  const auto f = resolve(a);
  const auto g = resolve(b);
  constexpr double kStep = 1e-3;
  double sum = 0.0;
  for (int i = -12000; i <= 12000; ++i) {
    const double x = kStep * i;
    const double difference = f.value(x) - g.value(x);
    sum += difference * difference * std::exp(-0.5 * x * x);
  }
  return std::sqrt(sum * kStep / std::sqrt(2.0 * std::numbers::pi));
}

TEST(Activations, DistancesUnderANormalInput) {
  EXPECT_NEAR(distance("mish", "relu"), 0.183, 5e-4);
  EXPECT_NEAR(distance("mish", "hard_mish"), 0.128, 5e-4);
  EXPECT_NEAR(distance("silu", "relu"), 0.209, 5e-4);
  EXPECT_NEAR(distance("silu", "hard_mish"), 0.191, 5e-4);
  EXPECT_NEAR(distance("gelu", "relu"), 0.127, 5e-4);
  EXPECT_NEAR(distance("gelu", "hard_mish"), 0.189, 5e-4);
  EXPECT_NEAR(distance("aptx", "relu"), 0.104, 5e-4);
  EXPECT_NEAR(distance("aptx", "hard_mish"), 0.198, 5e-4);
}

}  // namespace
}  // namespace actswap
