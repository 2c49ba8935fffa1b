#include <actswap/graph/attributes.h>
#include <actswap/graph/operators.h>

#include <torch/csrc/jit/ir/constants.h>

#include <algorithm>
#include <cmath>
#include <unordered_map>

namespace actswap {

namespace jit = torch::jit;

namespace {

struct RowSpelling {
  const Activation* row;
  const AtenSpelling* spelling;
};

// Operator name to the rows it may mean, the one with most requirements first: hardtanh(0, 6) is
// relu6 before it is a hardtanh.
const std::unordered_map<std::string, std::vector<RowSpelling>>& rows_by_operator() {
  static const auto kIndex = [] {
    std::unordered_map<std::string, std::vector<RowSpelling>> rows;
    for (const auto& row : activations()) {
      for (const auto& spelling : row.spellings) {
        rows[spelling.op].push_back({&row, &spelling});
      }
    }
    for (auto& [op, candidates] : rows) {
      std::stable_sort(candidates.begin(), candidates.end(),
                       [](const RowSpelling& a, const RowSpelling& b) {
                         return a.spelling->required.size() > b.spelling->required.size();
                       });
    }
    return rows;
  }();
  return kIndex;
}

// The constant that an operator's argument has: given in the graph, or the schema's default.
std::optional<c10::IValue> constant_argument(const jit::Node* node, const std::string& name) {
  const auto* schema = node->maybeSchema();
  const auto index = schema == nullptr ? std::nullopt : schema->argumentIndexWithName(name);
  if (!index) {
    return std::nullopt;
  }
  if (static_cast<std::size_t>(*index) < node->inputs().size()) {
    const auto number = noted_number(node->input(*index));
    return number ? std::optional<c10::IValue>(*number) : jit::toIValue(node->input(*index));
  }
  return schema->arguments().at(*index).default_value();
}

std::optional<double> as_number(const c10::IValue& value) {
  if (value.isTensor() && value.toTensor().dim() == 0) {
    return value.toTensor().item<double>();
  }
  if (value.isScalar()) {
    return value.toScalar().to<double>();
  }
  return std::nullopt;
}

std::optional<double> constant_number(const jit::Node* node, const std::string& name) {
  const auto value = constant_argument(node, name);
  return value ? as_number(*value) : std::nullopt;
}

// What LibTorch runs, but the table has no such function.
std::string fault_of(const ActivationSpec& activation) {
  const auto& row = *activation.activation;
  for (std::size_t i = 0; i < activation.parameters.size(); ++i) {
    if (!std::isfinite(activation.parameters[i])) {
      return "its parameter '" + row.parameters[i].name + "' is " +
             std::to_string(activation.parameters[i]);
    }
  }
  return row.fault == nullptr ? "" : row.fault(activation.parameters);
}

bool meets(const jit::Node* node, const std::string& argument, const std::string& required) {
  if (required.starts_with('\'')) {
    const auto value = constant_argument(node, argument);
    return value && value->isString() && "'" + value->toStringRef() + "'" == required;
  }
  const auto number = constant_number(node, argument);
  return number && *number == std::stod(required);
}

}  // namespace

jit::Node* only_node(jit::Block* block) {
  jit::Node* only = nullptr;
  for (jit::Node* node : block->nodes()) {
    if (node->kind() == c10::prim::Constant) {
      continue;
    }
    if (only != nullptr) {
      return nullptr;
    }
    only = node;
  }
  return only;
}

std::optional<double> constant_number(const jit::Value* value) {
  const auto constant = jit::toIValue(value);
  return constant ? as_number(*constant) : noted_number(value);
}

std::optional<Operator> aten_operator(const jit::Node* node) {
  if (node->kind().ns() != c10::Symbol::aten("x").ns() || node->outputs().size() != 1) {
    return std::nullopt;
  }
  std::string name = node->kind().toUnqualString();
  const bool in_place = name.ends_with('_');
  if (in_place) {
    name.pop_back();
  }
  return Operator{std::move(name), in_place};
}

std::optional<Match> match_operator(jit::Node* node) {
  const auto op = aten_operator(node);
  const auto rows = op ? rows_by_operator().find(op->name) : rows_by_operator().end();
  if (rows == rows_by_operator().end()) {
    return std::nullopt;
  }
  for (const auto& [row, spelling] : rows->second) {
    const auto& required = spelling->required;
    if (!std::all_of(required.begin(), required.end(), [&](const auto& argument) {
          return meets(node, argument.first, argument.second);
        })) {
      continue;
    }
    Match match{.node = node, .input = node->input(0), .in_place = op->in_place};
    match.activation.activation = row;
    for (const auto& parameter : row->parameters) {
      const auto fixed = spelling->fixed_parameters.find(parameter.name);
      match.activation.parameters.push_back(
          fixed == spelling->fixed_parameters.end() ? parameter.default_value : fixed->second);
    }
    for (std::size_t i = 0; i < spelling->parameter_arguments.size(); ++i) {
      const auto& argument = spelling->parameter_arguments[i];
      if (const auto number = constant_number(node, argument)) {
        match.activation.parameters[i] = *number;
      } else {
        match.obstacle = "its argument '" + argument + "' is not a constant";
      }
    }
    if (const auto what = fault_of(match.activation); match.obstacle.empty() && !what.empty()) {
      match.obstacle = what;
    }
    return match;
  }
  return std::nullopt;
}

std::optional<Match> match_inplace_branch(jit::Node* node) {
  if (node->kind() != c10::prim::If || node->outputs().size() != 1) {
    return std::nullopt;
  }
  std::optional<Match> branches[2];
  for (std::size_t i = 0; i < 2; ++i) {
    jit::Block* block = node->blocks()[i];
    jit::Node* only = only_node(block);
    branches[i] = only == nullptr ? std::nullopt : match_operator(only);
    if (!branches[i] || block->outputs().size() != 1 || block->outputs()[0] != only->output()) {
      return std::nullopt;
    }
  }
  const auto& [first, second] = branches;
  if (first->activation != second->activation || first->input != second->input ||
      first->in_place == second->in_place) {
    return std::nullopt;
  }
  Match match = *first;
  match.node = node;
  match.form = SiteForm::function;
  match.obstacle = first->obstacle.empty() ? second->obstacle : first->obstacle;
  const auto condition = jit::toIValue(node->input(0));
  // A condition that is not known may be true.
  match.in_place = !condition || condition->toBool() == first->in_place;
  return match;
}

}  // namespace actswap
