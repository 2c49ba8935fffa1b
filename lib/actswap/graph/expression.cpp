#include <actswap/graph/attributes.h>
#include <actswap/graph/expression.h>
#include <actswap/graph/in_place.h>
#include <actswap/graph/operators.h>
#include <actswap/graph/upgraded.h>

#include <torch/csrc/jit/ir/constants.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

namespace actswap {

namespace jit = torch::jit;

namespace {

// The longest known form is GELU by tanh, with its cube written as a product, and casts. A longer
// expression is no activation.
constexpr std::size_t kMaximumNodes = 24;

constexpr double kInfinity = std::numeric_limits<double>::infinity();

// torch.tensor(2.0): a number made into a tensor, with the operators that tracing leaves around it.
// Only for a number they change nothing: detach() stops a gradient.
bool is_number_as_tensor(const jit::Node* node) {
  static const std::set<std::string> kWrappers = {"tensor", "scalar_tensor", "detach", "lift_fresh",
                                                  "to"};
  const auto op = aten_operator(node);
  return op && kWrappers.contains(op->name) &&
         (constant_number(node->input(0)) || is_number_as_tensor(node->input(0)->node()));
}

// Half the distance of 1 to the next number of a constant's type.
double rounding_of(const c10::IValue& constant) {
  if (!constant.isTensor()) {
    return 0.0;
  }
  switch (constant.toTensor().scalar_type()) {
    case c10::ScalarType::BFloat16:
      return 0x1p-8;
    case c10::ScalarType::Half:
      return 0x1p-11;
    default:
      return 0.0;
  }
}

// Whether an operation on numbers, none of them 0, gave 0 or infinity.
bool leaves_range(const Arguments& arguments, double result) {
  return (result == 0.0 || std::isinf(result)) &&
         std::all_of(arguments.begin(), arguments.end(),
                     [](double value) { return std::isfinite(value) && value != 0.0; });
}

// clamp has an optional bound on each side.
double clamp(const Arguments& a) {
  return std::min(std::max(a[0], a[1]), a.size() > 2 ? a[2] : kInfinity);
}

// A boolean and a number give the default type. 16-bit types give way to all others; nobody mixes
// the two 16-bit types.
ScalarKind promoted(ScalarKind a, ScalarKind b) {
  const auto [low, high] = std::minmax(a, b);
  const bool is_default = low == ScalarKind::number && high == ScalarKind::boolean;
  return is_default ? ScalarKind::other : high;
}

}  // namespace

// The values of the expression at some points, for one x.
class Expression::Evaluation {
 public:
  Evaluation(const Expression& expression, const jit::Value* x, std::span<const double> points)
      : expression_(expression), left_range_(points.size(), false) {
    known_.emplace(x, Column(points.begin(), points.end()));
    for (const auto& [tensor, number] : expression.assumed_) {
      known_.emplace(tensor, constant(number));
    }
  }

  std::optional<std::vector<FormValue>> run() {
    const auto column = of(expression_.root_->output());
    if (!column) {
      return std::nullopt;
    }
    std::vector<FormValue> values;
    values.reserve(column->size());
    for (std::size_t i = 0; i < column->size(); ++i) {
      values.push_back({(*column)[i], left_range_[i]});
    }
    return values;
  }

 private:
  Column constant(double number) const { return Column(left_range_.size(), number); }

  std::optional<Column> of(jit::Value* value) {
    if (const auto number = constant_number(value)) {
      return constant(*number);
    }
    if (const auto entry = known_.find(value); entry != known_.end()) {
      return entry->second;
    }
    const auto found = expression_.operations_.find(value->node());
    auto column = found == expression_.operations_.end() ? std::nullopt : apply(found->second);
    known_.emplace(value, column);
    return column;
  }

  std::optional<Column> apply(const Operation& operation) {
    std::vector<Column> columns;
    for (jit::Value* operand : operation.operands) {
      const bool is_open_bound = operation.is_clamp && operand->mustBeNone();
      auto column = is_open_bound
                        ? std::optional(constant(columns.size() == 1 ? -kInfinity : kInfinity))
                        : of(operand);
      if (!column) {
        return std::nullopt;
      }
      columns.push_back(std::move(*column));
    }
    Column result(left_range_.size());
    Arguments arguments(columns.size());
    for (std::size_t i = 0; i < result.size(); ++i) {
      for (std::size_t j = 0; j < columns.size(); ++j) {
        arguments[j] = columns[j][i];
      }
      result[i] = value(operation, arguments);
      left_range_[i] = left_range_[i] || leaves_range(arguments, result[i]);
    }
    return result;
  }

  static double value(const Operation& operation, Arguments arguments) {
    if (operation.row) {
      return operation.row->value(arguments[0]);
    }
    if (operation.cast) {
      return arguments[0];
    }
    if (operation.is_clamp) {
      return clamp(arguments);
    }
    arguments.resize(operation.elementwise->operands, 1.0);  // alpha, which scalars do without
    return operation.elementwise->value(arguments);
  }

  const Expression& expression_;
  std::vector<bool> left_range_;
  std::unordered_map<const jit::Value*, std::optional<Column>> known_;
};

// Types of the values of the expression; x is taken to be of some floating-point type.
class Expression::TypeAnalysis {
 public:
  TypeAnalysis(const Expression& expression, const jit::Value* x) : expression_(expression) {
    known_.emplace(x, ScalarKind::input);
  }

  ScalarKind of(const jit::Value* value) {
    if (const auto entry = known_.find(value); entry != known_.end()) {
      return entry->second;
    }
    const auto kind = find(value);
    known_.emplace(value, kind);
    return kind;
  }

 private:
  ScalarKind find(const jit::Value* value) {
    if (noted_tensor(value)) {
      return ScalarKind::input;
    }
    if (value->mustBeNone() || constant_number(value)) {
      return ScalarKind::number;
    }
    const jit::Node* node = value->node();
    const auto found = expression_.operations_.find(node);
    if (found == expression_.operations_.end()) {
      return ScalarKind::other;
    }
    const auto& operation = found->second;
    if (operation.cast) {
      return of_cast(operation, *operation.cast);
    }
    const auto* elementwise = operation.is_clamp ? nullptr : operation.elementwise;
    switch (elementwise == nullptr ? TypeRule::promoted : elementwise->type) {
      case TypeRule::boolean:
        return ScalarKind::boolean;
      case TypeRule::as_option:
        return of_cast(operation, type_option(node));
      case TypeRule::promoted:
        break;
    }
    ScalarKind kind = of(operation.operands[0]);
    for (const jit::Value* operand : operation.operands) {
      kind = promoted(kind, of(operand));
    }
    return kind == ScalarKind::boolean ? ScalarKind::other : kind;  // exp of one is a float
  }

  ScalarKind of_cast(const Operation& operation, const Cast& cast) {
    switch (cast.to) {
      case Cast::To::same:
        return of(operation.operands[0]);
      case Cast::To::value:
        return of(cast.value);
      case Cast::To::model:
        return ScalarKind::input;
      case Cast::To::type:
        return cast.type == c10::ScalarType::Bool ? ScalarKind::boolean
               : cast.type == c10::ScalarType::Half || cast.type == c10::ScalarType::BFloat16
                   ? ScalarKind::narrow
                   : ScalarKind::other;
      case Cast::To::unknown:
        break;
    }
    return ScalarKind::other;
  }

  const Expression& expression_;
  std::unordered_map<const jit::Value*, ScalarKind> known_;
};

Expression::Expression(jit::Node* root) : root_(root) {
  walk();
}

void Expression::assume(jit::Value* tensor, double number) {
  assumed_[tensor] = number;
  constants_.insert(number);
}

Form Expression::form(const jit::Value* x) const {
  return {[this, x](std::span<const double> points) { return Evaluation(*this, x, points).run(); },
          constants_, rounding_};
}

std::optional<Expression::Operation> Expression::operation(jit::Node* node) {
  Operation operation;
  if (const auto division = upgraded_division(node)) {
    operation.operands = {division->dividend, division->divisor};
    operation.in_place = division->in_place;
    operation.elementwise = find_elementwise("div", 2);
    operation.further_nodes = division->condition;
    return operation;
  }
  const auto row =
      node->kind() == c10::prim::If ? match_inplace_branch(node) : match_operator(node);
  if (row) {
    operation.row = row->activation;
    operation.operands = {row->input};
    operation.in_place = row->in_place;
    return row->obstacle.empty() ? std::optional(operation) : std::nullopt;
  }
  const auto op = aten_operator(node);
  if (!op) {
    return std::nullopt;
  }
  operation.in_place = op->in_place;
  operation.is_clamp = op->name == "clamp" || op->name == "clip";
  operation.cast = is_number_as_tensor(node) ? Cast{} : cast_of(node);
  operation.elementwise = find_elementwise(op->name, node->inputs().size());
  if (!operation.is_clamp && !operation.cast && operation.elementwise == nullptr) {
    return std::nullopt;
  }
  const std::size_t count = operation.cast       ? 1
                            : operation.is_clamp ? 3
                                                 : operation.elementwise->operands;
  const auto inputs = node->inputs().slice(0, std::min(count, node->inputs().size()));
  operation.operands.assign(inputs.begin(), inputs.end());
  return operation;
}

void Expression::add_constant(jit::Value* value, double number) {
  constants_.insert(number);
  if (const auto constant = jit::toIValue(value)) {
    rounding_ = std::max(rounding_, rounding_of(*constant));
  }
}

// Visits the latest operator first: all operators between x and the root come after those that make
// x, and there may be more of these than it visits.
void Expression::walk() {
  std::vector<jit::Value*> pending = {root_->output()};
  while (!pending.empty()) {
    const auto latest = std::max_element(
        pending.begin(), pending.end(),
        [](const jit::Value* a, const jit::Value* b) { return a->node()->isBefore(b->node()); });
    jit::Value* value = *latest;
    pending.erase(latest);
    for (jit::Value* operand : visit(value)) {
      if (!visited_.insert(operand).second) {
        continue;
      }
      if (const auto number = constant_number(operand)) {
        add_constant(operand, *number);
      } else {
        pending.push_back(operand);
      }
    }
  }
}

std::vector<jit::Value*> Expression::visit(jit::Value* value) {
  jit::Node* node = value->node();
  if (noted_tensor(value)) {
    tensors_.push_back(value);
  }
  if (node != root_ && value->type()->isSubtypeOf(*c10::TensorType::get())) {
    candidates_.push_back(value);
  }
  if (node->owningBlock() != root_->owningBlock() || nodes_.size() > kMaximumNodes) {
    return {};
  }
  auto found = operation(node);
  if (!found) {
    return {};
  }
  // Nobody else may see a write in the middle, so the expression begins after it.
  if (node != root_ && found->in_place && is_read_elsewhere(node, found->operands[0])) {
    return {};
  }
  if (node == root_ && found->in_place) {
    written_ = found->operands[0];
  }
  for (jit::Value*& operand : found->operands) {
    jit::Value* first = first_equal_cast(operand);
    if (first != operand && operand != written_) {
      repeated_.push_back(operand->node());
      operand = first;
    }
  }
  nodes_.push_back(node);
  return operations_.emplace(node, std::move(*found)).first->second.operands;
}

bool Expression::depends_on(const jit::Node* node, const jit::Value* x,
                            std::unordered_map<const jit::Node*, bool>& known) const {
  const auto found = operations_.find(node);
  if (found == operations_.end() || node->output() == x) {
    return false;
  }
  if (const auto entry = known.find(node); entry != known.end()) {
    return entry->second;
  }
  const auto& operands = found->second.operands;
  const bool depends = std::any_of(operands.begin(), operands.end(), [&](jit::Value* operand) {
    return operand == x || depends_on(operand->node(), x, known);
  });
  known.emplace(node, depends);
  return depends;
}

std::vector<jit::Node*> Expression::parts(const jit::Value* x) const {
  std::vector<jit::Node*> found;
  std::unordered_map<const jit::Node*, bool> known;
  for (jit::Node* node : nodes_) {
    if (!depends_on(node, x, known)) {
      continue;
    }
    if (node != root_) {
      found.push_back(node);
    }
    const auto& further = operations_.at(node).further_nodes;
    found.insert(found.end(), further.begin(), further.end());
  }
  for (jit::Node* cast : repeated_) {
    const jit::Value* first = first_equal_cast(cast->output());
    if (first == x || depends_on(first->node(), x, known)) {
      found.push_back(cast);
    }
  }
  std::sort(found.begin(), found.end(),
            [](const jit::Node* a, const jit::Node* b) { return a->isAfter(b); });
  found.erase(std::unique(found.begin(), found.end()), found.end());
  return found;
}

bool Expression::keeps_type(const jit::Value* x) const {
  return TypeAnalysis(*this, x).of(root_->output()) == ScalarKind::input;
}

}  // namespace actswap
