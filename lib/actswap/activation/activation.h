// The activation table: one row per function, read by everything that needs to know one.
//
// A row says what the function is (value and derivative in double, the reference for every test),
// how TorchScript files spell it, and how it is written in stock ATen. A new activation is one row.
#pragma once

#include <actswap/base/export.h>

#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace actswap {

/// Values of a row's parameters, in the row's order (beta; alpha, beta, gamma; ...).
using ParameterValues = std::span<const double>;

struct ActivationParameter {
  std::string name;
  double default_value;
};

/// One aten operator that computes the function directly.
struct AtenSpelling {
  std::string op;  ///< without the namespace: "silu"; the in-place "silu_" is implied
  /// The operator's arguments that hold the row's parameters, in the row's order.
  std::vector<std::string> parameter_arguments = {};
  /// Arguments that must have these values for the operator to mean this row: a number, or a string
  /// in single quotes (gelu's approximate = "'tanh'"). If two rows fit, the one that requires more
  /// wins: hardtanh(0, 6) is relu6.
  std::map<std::string, std::string> required = {};
  /// Parameters that the operator has built in: silu is swish with beta = 1.
  std::map<std::string, double> fixed_parameters = {};
};

/// Another name for a row with certain parameters.
struct ActivationAlias {
  std::string name;
  std::vector<double> parameters;
  std::string torchscript = {};  ///< a cheaper expression for these parameters; empty: the row's
  std::string torch_class = {};  ///< as in Activation
};

struct Activation {
  std::string name;
  std::vector<ActivationAlias> aliases;
  std::vector<ActivationParameter> parameters;
  double (*value)(double x, ParameterValues parameters);
  double (*derivative)(double x, ParameterValues parameters);
  /// Where the derivative jumps, for the given parameters (elu has a kink unless alpha = 1); the
  /// derivative there is the one from the left.
  std::vector<double> (*kinks)(ParameterValues parameters);
  /// An expression in TorchScript over `x` with {parameter} placeholders; stock operators only.
  std::string torchscript;
  /// The module of torch.nn that is this function ("ReLU"); empty: there is none.
  std::string torch_class;
  std::vector<AtenSpelling> spellings;
  bool default_source;  ///< replaced unless the user names sources
  bool default_target;  ///< offered as something to move to
  std::string formula;  ///< for people
  std::string reference;
  /// Says what is wrong with parameters that do not give such a function (celu's alpha = 0); "" if
  /// nothing is. Null if every finite value is allowed.
  std::string (*fault)(ParameterValues parameters) = nullptr;
  /// The expression for inference, if another is better there; empty: `torchscript`.
  std::string inference = {};
};

/// The table, in the order in which it is printed.
ACTSWAP_API const std::vector<Activation>& activations();

/// A row with its parameters filled in.
struct ACTSWAP_API ActivationSpec {
  const Activation* activation = nullptr;
  std::vector<double> parameters;

  double value(double x) const { return activation->value(x, parameters); }
  double derivative(double x) const { return activation->derivative(x, parameters); }
  std::vector<double> kinks() const { return activation->kinks(parameters); }
  /// "mish", "silu", "leaky_relu(slope=0.1)": an alias if one includes all parameters, otherwise
  /// the name with the parameters that differ from their defaults. resolve(to_string()) gives the
  /// same spec.
  std::string to_string() const;
  /// The TorchScript expression over `x`, parameters written out to full precision.
  std::string torchscript() const;
  /// The same for a model that is not trained on: what an exported model holds.
  std::string inference_torchscript() const;
  /// The module of torch.nn that is this function: "ReLU", "SiLU" for swish(1); empty: there is
  /// none.
  std::string torch_class() const;
  bool operator==(const ActivationSpec&) const = default;
};

/// "relu", "silu", "leaky_relu(0.1)", "aptx(alpha=1,beta=0.5,gamma=0.5)": positional or named.
/// Aliases stand for a row with parameters ("quick_gelu" is swish(beta=1.702)); neither case nor
/// '-' for '_' matters.
/// An alias takes no parameters: they are what it stands for.
/// @throws UsageError for an unknown name (with the nearest known one), a parameter that is
/// unknown, given twice or one too many, and a value that is not a number, not finite or gives no
/// function.
ACTSWAP_API ActivationSpec resolve(std::string_view text);

/// Whether the text names a row and says nothing of its parameters ("swish"): neither an alias
/// ("silu") nor a row with parameters ("elu(1)") does.
bool names_any_parameters(std::string_view text);

}  // namespace actswap
