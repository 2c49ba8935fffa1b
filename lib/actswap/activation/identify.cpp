#include <actswap/activation/identify.h>

#include <algorithm>
#include <cmath>
#include <limits>

namespace actswap {

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

// 1 + erf(x) far on the left is the difference of two numbers near 1, so its error is that of a 1.
constexpr double kCancellation = 1e-13;
// Farther out all such differences are 0, and what is not is an epsilon: log(f(x) + 1e-20).
constexpr double kFar = 1000.0;
constexpr double kNothing = 1e-36;
// Nearer than this, no function that people write leaves the range of double.
constexpr double kInRange = 20.0;

// Where most functions that are not the same differ. None is a kink, which lie on whole numbers and
// halves.
const std::vector<double>& core_points() {
  static const auto kPoints = [] {
    std::vector<double> points(39);
    for (std::size_t i = 0; i < points.size(); ++i) {
      points[i] = -7.03 + 0.37 * static_cast<double>(i);
    }
    return points;
  }();
  return kPoints;
}

std::vector<double> far_points(const std::set<double>& constants) {
  std::vector<double> points = {0.0};
  const auto add = [&](double magnitude) {
    if (std::isnormal(magnitude)) {
      points.insert(points.end(), {magnitude, -magnitude});
    }
  };
  for (const double magnitude :
       {1e-6, 1e-5,  1e-4,  1e-3,   3e-3,  0.01,   0.03,  0.11, 9.7, 12.3, 15.1, 20.3, 25.2,  30.7,
        50.9, 101.0, 307.0, 1003.0, 1.1e4, 6.55e4, 1.3e5, 1e7,  1e9, 1e12, 1e20, 1e30, 3.4e38}) {
    add(magnitude);
  }
  points.insert(points.end(), {kInfinity, -kInfinity});
  for (const double constant : constants) {
    for (const double scale : {0.5, 0.9, 0.99, 1.01, 1.1, 2.0}) {
      add(scale * std::abs(constant));
      add(scale / std::abs(constant));
    }
  }
  return points;
}

bool is_line(const ActivationSpec& spec) {
  const auto& points = core_points();
  for (std::size_t i = 2; i < points.size(); ++i) {
    const double bend =
        spec.value(points[i]) - 2.0 * spec.value(points[i - 1]) + spec.value(points[i - 2]);
    if (std::abs(bend) > kCancellation) {
      return false;
    }
  }
  return true;
}

bool is_usable(const ActivationSpec& spec) {
  const auto& parameters = spec.parameters;
  auto* const fault = spec.activation->fault;
  return std::all_of(parameters.begin(), parameters.end(),
                     [](double value) { return std::isfinite(value); }) &&
         (fault == nullptr || fault(parameters).empty()) && !is_line(spec);
}

// What the table names comes first: its rows with their own parameters, and their aliases. Then
// come rows with one parameter that is a constant of the form, wherever in the form that stands.
std::vector<ActivationSpec> candidates(const std::set<double>& constants) {
  std::vector<ActivationSpec> specs;
  for (const auto& row : activations()) {
    specs.push_back({&row, {}});
    for (const auto& parameter : row.parameters) {
      specs.back().parameters.push_back(parameter.default_value);
    }
    for (const auto& alias : row.aliases) {
      specs.push_back({&row, alias.parameters});
    }
  }
  for (const auto& row : activations()) {
    for (const double constant : constants) {
      if (row.parameters.size() == 1) {
        specs.push_back({&row, {constant}});
      }
    }
  }
  return specs;
}

bool agrees_at_infinity(double value, double expected, double rounding) {
  return std::isnan(value) || std::isnan(expected) || value == expected ||
         (std::isfinite(expected) && std::abs(value - expected) <= rounding * std::abs(expected));
}

class Comparison {
 public:
  explicit Comparison(const Form& form)
      : rounding_(form.rounding),
        may_overflow_(std::all_of(form.constants.begin(), form.constants.end(),
                                  [](double value) { return std::isfinite(value); })) {}

  bool agrees(std::span<const double> points, std::span<const FormValue> values,
              const ActivationSpec& spec) const {
    for (std::size_t i = 0; i < points.size(); ++i) {
      if (!agrees(points[i], values[i], spec)) {
        return false;
      }
    }
    return true;
  }

 private:
  bool agrees(double x, const FormValue& form, const ActivationSpec& spec) const {
    const double expected = spec.value(x);
    if (std::isinf(x)) {
      return agrees_at_infinity(form.value, expected, rounding_);
    }
    if (!std::isfinite(form.value)) {
      return form.left_range && may_overflow_ && std::abs(x) > kInRange;
    }
    const double explained = rounding_ * (std::abs(expected) + std::abs(x * spec.derivative(x)));
    const double cancelled = std::abs(x) < kFar ? kCancellation : kNothing;
    return std::abs(form.value - expected) <= explained + cancelled;
  }

  double rounding_;
  bool may_overflow_;
};

}  // namespace

std::optional<ActivationSpec> identify(const Form& form) {
  const auto core = form.values(core_points());
  if (!core) {
    return std::nullopt;
  }
  const Comparison comparison(form);
  std::vector<double> points;  // are chosen where one row is left
  std::optional<std::vector<FormValue>> far;
  for (const auto& spec : candidates(form.constants)) {
    if (!comparison.agrees(core_points(), *core, spec) || !is_usable(spec)) {
      continue;
    }
    if (!far) {
      points = far_points(form.constants);
      far = form.values(points);
    }
    if (far && comparison.agrees(points, *far, spec)) {
      return spec;
    }
  }
  return std::nullopt;
}

}  // namespace actswap
