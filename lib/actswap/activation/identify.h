// Identifies the row of the table that a function equals, by its values.
#pragma once

#include <actswap/activation/activation.h>
#include <actswap/base/export.h>

#include <functional>
#include <optional>
#include <set>
#include <span>
#include <vector>

namespace actswap {

/// What a function gives at one point.
struct FormValue {
  double value;
  /// Whether an operation on the way left the range of double: exp(1000) is inf, exp(-1000) is 0.
  bool left_range = false;
};

/// A function as it is written somewhere.
struct Form {
  /// The values at these points; empty where there are none.
  std::function<std::optional<std::vector<FormValue>>(std::span<const double>)> values;
  /// The numbers in its code. They choose points to compare at and may be parameters of a row.
  std::set<double> constants;
  /// How far a constant may be off, as a share of it.
  double rounding;
};

/// Constants that people rounded by hand have four digits or more: 1.4142 for the root of 2.
constexpr double kRounding = 2.5e-4;

/// The row that agrees with the form everywhere: near zero, at the form's own constants and their
/// inverses, at the largest numbers of float16 and float32, and at infinity.
///
/// Two values agree if rounded constants explain their difference: the share `rounding` of the
/// row's value f, and of x f' for a constant that scales x. Both vanish where f does, so an epsilon
/// or a bound never passes for rounding.
///  - Where the form overflows far out (log(1 + exp(x)) at 1000), and holds no inf or NaN itself,
///  the
///    row says what is meant.
///  - At infinity a form may be NaN (x sigmoid(x) at -inf is -inf * 0); otherwise it has the row's
///    limit.
/// A line is no row: leaky_relu(1) would be any of them.
ACTSWAP_API std::optional<ActivationSpec> identify(const Form& form);

}  // namespace actswap
