#include <actswap/graph/attributes.h>
#include <actswap/graph/in_place.h>
#include <actswap/graph/operators.h>
#include <actswap/graph/pattern.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>
#include <unordered_map>

namespace actswap {

namespace jit = torch::jit;

namespace {

// Longest known: GELU by tanh, with its cube written as a product, and casts. More is something
// else.
constexpr std::size_t kMaximumNodes = 24;

using Arguments = std::vector<double>;
struct Elementwise {
  std::size_t operands;  // all the arguments it may have; div with a rounding mode is another
  double (*value)(const Arguments&);
  std::size_t needed = 1;    // fewer make another operator: max(x) is a reduction
  bool has_options = false;  // further arguments, of type and layout
};

double log_add_exp(double a, double b) {
  return std::max(a, b) + std::log1p(std::exp(-std::abs(a - b)));
}

// What a hand-written activation is made of, beside the operators that the table knows.
const std::unordered_map<std::string, Elementwise>& elementwise() {
  static const std::unordered_map<std::string, Elementwise> kOperators = {
      {"mul", {2, [](const Arguments& a) { return a[0] * a[1]; }}},
      {"div", {2, [](const Arguments& a) { return a[0] / a[1]; }}},
      {"true_divide", {2, [](const Arguments& a) { return a[0] / a[1]; }}},
      {"add", {3, [](const Arguments& a) { return a[0] + a[1] * a[2]; }}},
      {"sub", {3, [](const Arguments& a) { return a[0] - a[1] * a[2]; }}},
      {"rsub", {3, [](const Arguments& a) { return a[1] - a[0] * a[2]; }}},
      {"addcmul", {4, [](const Arguments& a) { return a[0] + a[3] * a[1] * a[2]; }}},
      {"pow", {2, [](const Arguments& a) { return std::pow(a[0], a[1]); }}},
      {"max", {2, [](const Arguments& a) { return std::max(a[0], a[1]); }, 2}},
      {"min", {2, [](const Arguments& a) { return std::min(a[0], a[1]); }, 2}},
      {"maximum", {2, [](const Arguments& a) { return std::max(a[0], a[1]); }}},
      {"minimum", {2, [](const Arguments& a) { return std::min(a[0], a[1]); }}},
      {"where", {3, [](const Arguments& a) { return a[0] != 0.0 ? a[1] : a[2]; }}},
      {"ge", {2, [](const Arguments& a) { return a[0] >= a[1] ? 1.0 : 0.0; }}},
      {"gt", {2, [](const Arguments& a) { return a[0] > a[1] ? 1.0 : 0.0; }}},
      {"le", {2, [](const Arguments& a) { return a[0] <= a[1] ? 1.0 : 0.0; }}},
      {"lt", {2, [](const Arguments& a) { return a[0] < a[1] ? 1.0 : 0.0; }}},
      {"clamp_min", {2, [](const Arguments& a) { return std::max(a[0], a[1]); }}},
      {"clamp_max", {2, [](const Arguments& a) { return std::min(a[0], a[1]); }}},
      {"exp", {1, [](const Arguments& a) { return std::exp(a[0]); }}},
      {"expm1", {1, [](const Arguments& a) { return std::expm1(a[0]); }}},
      {"log", {1, [](const Arguments& a) { return std::log(a[0]); }}},
      {"log1p", {1, [](const Arguments& a) { return std::log1p(a[0]); }}},
      {"erf", {1, [](const Arguments& a) { return std::erf(a[0]); }}},
      {"erfc", {1, [](const Arguments& a) { return std::erfc(a[0]); }}},
      {"special_ndtr",
       {1, [](const Arguments& a) { return 0.5 * std::erfc(-a[0] / std::sqrt(2.0)); }}},
      {"logaddexp", {2, [](const Arguments& a) { return log_add_exp(a[0], a[1]); }}},
      {"threshold", {3, [](const Arguments& a) { return a[0] > a[1] ? a[0] : a[2]; }}},
      {"masked_fill", {3, [](const Arguments& a) { return a[1] != 0.0 ? a[2] : a[0]; }}},
      {"zeros_like", {1, [](const Arguments&) { return 0.0; }, 1, true}},
      {"ones_like", {1, [](const Arguments&) { return 1.0; }, 1, true}},
      {"full_like", {2, [](const Arguments& a) { return a[1]; }, 2, true}},
      {"sign", {1, [](const Arguments& a) { return a[0] > 0.0   ? 1.0
                                                   : a[0] < 0.0 ? -1.0
                                                                : a[0]; }}},
      {"neg", {1, [](const Arguments& a) { return -a[0]; }}},
      {"abs", {1, [](const Arguments& a) { return std::abs(a[0]); }}},
      {"square", {1, [](const Arguments& a) { return a[0] * a[0]; }}},
      {"sqrt", {1, [](const Arguments& a) { return std::sqrt(a[0]); }}},
      {"rsqrt", {1, [](const Arguments& a) { return 1.0 / std::sqrt(a[0]); }}},
      {"reciprocal", {1, [](const Arguments& a) { return 1.0 / a[0]; }}}};
  return kOperators;
}

bool is_cast(const std::string& name) {
  return name == "to" || name == "type_as" || name == "float" || name == "clone" ||
         name == "contiguous" || name == "half" || name == "double";
}

// torch.tensor(2.0): a number that is made a tensor, and what tracing leaves around it. Of anything
// else than a number it would not be the same: detach() stops a gradient.
bool is_number_as_tensor(const jit::Node* node) {
  static const std::set<std::string> kWrappers = {"tensor", "scalar_tensor", "detach", "lift_fresh",
                                                  "to"};
  const auto op = aten_operator(node);
  return op && kWrappers.contains(op->name) &&
         (constant_number(node->input(0)) || is_number_as_tensor(node->input(0)->node()));
}

// clamp has an optional bound on each side.
double clamp(double x, double low, double high) {
  return std::min(std::max(x, low), high);
}

class Expression {
 public:
  explicit Expression(jit::Node* root) : root_(root) { walk(root->output()); }

  bool usable() const { return usable_ && nodes_.size() >= 2; }
  /// Tensors that the expression may be a function of, the nearest to the root first.
  const std::vector<jit::Value*>& candidates() const { return candidates_; }
  /// Numbers that stand in it.
  const std::set<double>& constants() const { return constants_; }
  /// Parameters and buffers that stand in it: a beta that may be learnt.
  const std::vector<jit::Value*>& tensors() const { return tensors_; }
  /// From now on such a tensor is taken to be a number, and to be this one.
  void assume(jit::Value* tensor, double number) {
    assumed_[tensor] = number;
    constants_.insert(number);
  }

  /// The value for x = `at`; empty where another tensor than x is needed.
  std::optional<double> evaluate(const jit::Value* x, double at) const {
    auto known = assumed_;
    known[x] = at;
    return evaluate(root_->output(), known);
  }

  /// The nodes between x and the root, the nearest to the root first.
  std::vector<jit::Node*> parts(const jit::Value* x) const {
    std::vector<jit::Node*> found;
    std::unordered_map<const jit::Node*, bool> known;
    for (jit::Node* node : nodes_) {
      if (node != root_ && depends_on(node, x, known)) {
        found.push_back(node);
      }
    }
    std::sort(found.begin(), found.end(),
              [](const jit::Node* a, const jit::Node* b) { return a->isAfter(b); });
    return found;
  }

 private:
  struct Operation {
    std::optional<Match> row;  // an operator, or a branch on inplace, that the table knows
    const Elementwise* elementwise = nullptr;
    bool is_clamp = false;
    bool is_cast = false;
    bool in_place = false;
  };

  static bool takes(const Elementwise& elementwise, std::size_t arguments) {
    return arguments >= elementwise.needed &&
           (elementwise.has_options || arguments <= elementwise.operands);
  }

  static std::optional<Operation> operation(jit::Node* node) {
    Operation operation;
    operation.row =
        node->kind() == c10::prim::If ? match_inplace_branch(node) : match_operator(node);
    if (operation.row) {
      operation.in_place = operation.row->in_place;
      return operation.row->obstacle.empty() ? std::optional(operation) : std::nullopt;
    }
    const auto op = aten_operator(node);
    if (!op) {
      return std::nullopt;
    }
    operation.in_place = op->in_place;
    operation.is_clamp = op->name == "clamp" || op->name == "clip";
    operation.is_cast = is_cast(op->name) || is_number_as_tensor(node);
    const auto found = elementwise().find(op->name);
    if (found != elementwise().end() && takes(found->second, node->inputs().size())) {
      operation.elementwise = &found->second;
    }
    if (!operation.is_clamp && !operation.is_cast && operation.elementwise == nullptr) {
      return std::nullopt;
    }
    return operation;
  }

  static std::vector<jit::Value*> operands(jit::Node* node, const Operation& operation) {
    if (operation.row) {
      return {operation.row->input};
    }
    const std::size_t count = operation.is_cast    ? 1
                              : operation.is_clamp ? 3
                                                   : operation.elementwise->operands;
    const auto inputs = node->inputs().slice(0, std::min(count, node->inputs().size()));
    return {inputs.begin(), inputs.end()};
  }

  void walk(jit::Value* value) {
    if (!visited_.insert(value).second) {
      return;
    }
    if (const auto number = constant_number(value)) {
      constants_.insert(*number);
      return;
    }
    jit::Node* node = value->node();
    if (noted_tensor(value)) {
      tensors_.push_back(value);
    }
    if (node != root_ && value->type()->isSubtypeOf(*c10::TensorType::get())) {
      candidates_.push_back(value);
    }
    const auto found = operation(node);
    if (node->owningBlock() != root_->owningBlock() || !found || nodes_.size() > kMaximumNodes) {
      return;
    }
    nodes_.push_back(node);
    operations_.emplace(node, *found);
    for (jit::Value* operand : operands(node, *found)) {
      walk(operand);
    }
    // What is written to in the middle must be seen by nobody else.
    if (node != root_ && found->in_place && is_read_elsewhere(node, operands(node, *found)[0])) {
      usable_ = false;
    }
  }

  std::optional<double> evaluate(
      jit::Value* value,
      std::unordered_map<const jit::Value*, std::optional<double>>& known) const {
    if (const auto number = constant_number(value)) {
      return number;
    }
    const auto entry = known.find(value);
    if (entry != known.end()) {
      return entry->second;
    }
    const auto result = apply(value->node(), known);
    known.emplace(value, result);
    return result;
  }

  std::optional<double> apply(
      jit::Node* node, std::unordered_map<const jit::Value*, std::optional<double>>& known) const {
    const auto found = operations_.find(node);
    if (found == operations_.end()) {
      return std::nullopt;
    }
    const auto& operation = found->second;
    Arguments arguments;
    for (jit::Value* operand : operands(node, operation)) {
      const bool is_open_bound = operation.is_clamp && operand->mustBeNone();
      const auto argument = is_open_bound ? std::nullopt : evaluate(operand, known);
      if (!argument && !is_open_bound) {
        return std::nullopt;
      }
      const double infinity = std::numeric_limits<double>::infinity();
      arguments.push_back(argument.value_or(arguments.size() == 1 ? -infinity : infinity));
    }
    if (operation.row) {
      return operation.row->activation.value(arguments[0]);
    }
    if (operation.is_cast) {
      return arguments[0];
    }
    if (operation.is_clamp) {
      arguments.resize(3, std::numeric_limits<double>::infinity());
      return clamp(arguments[0], arguments[1], arguments[2]);
    }
    arguments.resize(operation.elementwise->operands, 1.0);  // alpha, which scalars do without
    return operation.elementwise->value(arguments);
  }

  bool depends_on(jit::Node* node, const jit::Value* x,
                  std::unordered_map<const jit::Node*, bool>& known) const {
    const auto found = operations_.find(node);
    if (found == operations_.end() || node->output() == x) {
      return false;
    }
    if (const auto entry = known.find(node); entry != known.end()) {
      return entry->second;
    }
    const auto read = operands(node, found->second);
    const bool depends = std::any_of(read.begin(), read.end(), [&](jit::Value* operand) {
      return operand == x || depends_on(operand->node(), x, known);
    });
    known.emplace(node, depends);
    return depends;
  }

  jit::Node* root_;
  bool usable_ = true;
  std::set<const jit::Value*> visited_;
  std::vector<jit::Node*> nodes_;
  std::unordered_map<jit::Node*, Operation> operations_;
  std::vector<jit::Value*> candidates_;
  std::vector<jit::Value*> tensors_;
  std::set<double> constants_;
  std::unordered_map<const jit::Value*, std::optional<double>> assumed_;
};

// Parameters that a row may be meant with: its own, those of its aliases, and for a row with one
// parameter each constant of the expression.
std::vector<ActivationSpec> specs_of(const Activation& row, const std::set<double>& constants) {
  std::vector<ActivationSpec> specs = {{&row, {}}};
  for (const auto& parameter : row.parameters) {
    specs.front().parameters.push_back(parameter.default_value);
  }
  for (const auto& alias : row.aliases) {
    specs.push_back({&row, alias.parameters});
  }
  for (const double constant : constants) {
    if (row.parameters.size() == 1) {
      specs.push_back({&row, {constant}});
    }
  }
  std::erase_if(specs, [](const ActivationSpec& spec) {
    return spec.activation->fault != nullptr && !spec.activation->fault(spec.parameters).empty();
  });
  return specs;
}

// Rounded constants (1.4142 for the root of 2, bfloat16) stay below, GELU and its tanh form (up to
// 5e-4 apart) above.
constexpr double kTolerance = 1e-4;

// Meets none of the kinks, which lie on whole numbers and halves.
const std::vector<double>& samples() {
  static const auto kSamples = [] {
    std::vector<double> points(39);
    for (std::size_t i = 0; i < points.size(); ++i) {
      points[i] = -7.03 + 0.37 * static_cast<double>(i);
    }
    return points;
  }();
  return kSamples;
}

std::optional<std::vector<double>> sampled(const Expression& expression, const jit::Value* x) {
  std::vector<double> values;
  values.reserve(samples().size());
  for (const double at : samples()) {
    const auto value = expression.evaluate(x, at);
    if (!value) {
      return std::nullopt;
    }
    values.push_back(*value);
  }
  return values;
}

// leaky_relu(1) and swish(0) are lines, and any line would be one of them.
bool is_line(const std::vector<double>& values) {
  for (std::size_t i = 2; i < values.size(); ++i) {
    if (std::abs(values[i] - 2.0 * values[i - 1] + values[i - 2]) > kTolerance) {
      return false;
    }
  }
  return true;
}

bool agrees(const std::vector<double>& values, const ActivationSpec& spec) {
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (!(std::abs(values[i] - spec.value(samples()[i])) <= kTolerance)) {
      return false;
    }
  }
  return true;
}

std::optional<ActivationSpec> identify(const Expression& expression, const jit::Value* x) {
  const auto values = sampled(expression, x);
  if (!values || is_line(*values)) {
    return std::nullopt;
  }
  for (const auto& row : activations()) {
    for (const auto& spec : specs_of(row, expression.constants())) {
      if (agrees(*values, spec)) {
        return spec;
      }
    }
  }
  return std::nullopt;
}

struct Identified {
  ActivationSpec spec;
  bool has_tensor_parameter = false;
};

// Where a tensor of the model stands in the place of a parameter, the expression must be the same
// row for other values of it too: gamma gelu(x) is a gelu only while gamma is 1.
std::optional<Identified> identify_any(Expression expression, const jit::Value* x) {
  if (const auto spec = identify(expression, x)) {
    return Identified{*spec};
  }
  std::optional<ActivationSpec> spec;
  if (expression.tensors().empty()) {
    return std::nullopt;
  }
  for (const double change : {0.37, 0.0}) {  // what stands there now comes last
    for (jit::Value* tensor : expression.tensors()) {
      expression.assume(tensor, *noted_tensor(tensor) + change);
    }
    const auto found = identify(expression, x);
    if (!found || (spec && (spec->activation != found->activation || *spec == *found))) {
      return std::nullopt;
    }
    spec = found;
  }
  return Identified{*spec, true};
}

// The last operator of a hand-written activation; a cast after it is not a part of it.
bool may_be_last(const jit::Node* node) {
  const auto op = aten_operator(node);
  return op && !is_cast(op->name) && node->output()->type()->isSubtypeOf(*c10::TensorType::get());
}

}  // namespace

std::optional<Match> match_pattern(jit::Node* node) {
  if (!may_be_last(node)) {
    return std::nullopt;
  }
  const Expression expression(node);
  if (!expression.usable()) {
    return std::nullopt;
  }
  for (jit::Value* x : expression.candidates()) {
    const auto identified = identify_any(expression, x);
    if (!identified) {
      continue;
    }
    Match match;
    match.parts = expression.parts(x);
    if (match.parts.empty()) {
      return std::nullopt;  // one operator, which is not written out
    }
    match.node = node;
    match.input = x;
    match.activation = identified->spec;
    match.form = SiteForm::pattern;
    if (identified->has_tensor_parameter) {
      match.obstacle = "its parameter is a tensor of the model, '" +
                       expression.tensors().front()->node()->s(c10::attr::name) +
                       "', which may be learnt";
    }
    // x.mul_(torch.sigmoid(x)) writes to x; torch.sigmoid(x).mul_(x) only to what nobody else sees.
    match.in_place = aten_operator(node)->in_place && node->input(0) == x;
    if (aten_operator(node)->in_place && !match.in_place &&
        is_read_elsewhere(node, node->input(0))) {
      return std::nullopt;
    }
    return match;
  }
  return std::nullopt;
}

}  // namespace actswap
