#include <actswap/activation/identify.h>
#include <actswap/graph/attributes.h>
#include <actswap/graph/casts.h>
#include <actswap/graph/expression.h>
#include <actswap/graph/in_place.h>
#include <actswap/graph/operators.h>
#include <actswap/graph/pattern.h>
#include <actswap/graph/upgraded.h>

#include <algorithm>

namespace actswap {

namespace jit = torch::jit;

namespace {

struct Identified {
  ActivationSpec spec;
  bool has_tensor_parameter = false;
};

// If a tensor of the model stands for a parameter, the expression must match the same row for other
// values of it too: gamma gelu(x) is a gelu only while gamma is 1.
std::optional<Identified> identify_any(Expression expression, const jit::Value* x) {
  if (const auto spec = identify(expression.form(x))) {
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
    const auto found = identify(expression.form(x));
    if (!found || (spec && (spec->activation != found->activation || *spec == *found))) {
      return std::nullopt;
    }
    spec = found;
  }
  return Identified{*spec, true};
}

// The last operator of a hand-written activation; a cast after it is not a part of it.
bool may_be_last(jit::Node* node) {
  return (aten_operator(node) || upgraded_division(node)) && !cast_of(node) &&
         node->output()->type()->isSubtypeOf(*c10::TensorType::get());
}

// Whether something else writes to what the activation reads while it is computed:
// s = sigmoid(x); x.add_(1); x * s.
bool is_disturbed(const Match& match) {
  const auto is_written = [&](const jit::Value* value) {
    return is_written_between(value, match.parts.back(), match.node, match.parts);
  };
  return is_written(match.input) ||
         std::any_of(match.parts.begin(), match.parts.end(),
                     [&](const jit::Node* part) { return is_written(part->output()); });
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
    const auto identified = expression.keeps_type(x) ? identify_any(expression, x) : std::nullopt;
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
    jit::Value* written = expression.written();
    match.in_place = written == x;
    if ((written != nullptr && !match.in_place && is_read_elsewhere(node, written)) ||
        is_disturbed(match)) {
      return std::nullopt;
    }
    return match;
  }
  return std::nullopt;
}

}  // namespace actswap
