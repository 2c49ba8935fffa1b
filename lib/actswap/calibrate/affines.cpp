#include <actswap/calibrate/affines.h>
#include <actswap/graph/operators.h>

#include <torch/csrc/jit/ir/constants.h>
#include <torch/script.h>

#include <algorithm>
#include <set>
#include <string>
#include <utility>

namespace actswap {

namespace jit = torch::jit;

namespace {

constexpr double kTakenAway = 1e-3;
constexpr double kMostChannels = 0.75;

// In place or not; empty: it is none of ATen.
std::string operator_of(const jit::Node* node) {
  const auto found = aten_operator(node);
  return found ? found->name : std::string();
}

// x op y, or x op y * alpha; no rounding mode, no integers.
bool is_product(const jit::Node* node) {
  const auto name = operator_of(node);
  return (name == "mul" || name == "div") && node->inputs().size() == 2;
}

bool is_difference_or_sum(const jit::Node* node) {
  const auto name = operator_of(node);
  return (name == "add" || name == "sub" || name == "rsub") && node->inputs().size() == 3 &&
         constant_number(node->input(2));
}

bool is_negation(const jit::Node* node) {
  return operator_of(node) == "neg";
}

// What its two operands are multiplied by: rsub(x, y, alpha) is y - alpha x.
std::pair<double, double> signs_of(const jit::Node* node) {
  const double alpha = *constant_number(node->input(2));
  const auto name = operator_of(node);
  if (name == "rsub") {
    return {-alpha, 1.0};
  }
  return {1.0, name == "sub" ? -alpha : alpha};
}

// Operators that change the shape but not the order: one number per channel remains one.
bool is_reshape(const jit::Node* node) {
  static const std::set<std::string> kNames = {"view",    "reshape", "unsqueeze", "squeeze",
                                               "flatten", "detach",  "contiguous"};
  return kNames.contains(operator_of(node));
}

bool is_tensor(const jit::Value* value) {
  return value->type()->isSubtypeOf(*c10::TensorType::get());
}

}  // namespace

torch::Tensor bounded_reciprocal(const torch::Tensor& factor) {
  const auto size = factor.abs();
  const auto is_there = size > kTakenAway * size.flatten().quantile(kMostChannels);
  return torch::where(is_there, factor.reciprocal(), torch::zeros_like(factor));
}

torch::Tensor beside(const torch::Tensor& numbers, std::int64_t dimensions,
                     std::int64_t channel_dim) {
  if (numbers.dim() == 0) {
    return numbers;
  }
  std::vector<std::int64_t> shape(static_cast<std::size_t>(dimensions), 1);
  shape.at(static_cast<std::size_t>(channel_dim < 0 ? channel_dim + dimensions : channel_dim)) = -1;
  return numbers.reshape(shape);
}

// batch_norm(x, weight, bias, running_mean, running_var, training, momentum, eps, cudnn)
bool is_fixed_batch_norm(jit::Node* node) {
  if (node->kind() != c10::aten::batch_norm) {
    return false;
  }
  const auto training = jit::toIValue(node->input(5));
  return training && training->isBool() && !training->toBool();
}

Affines::Affines(Program& program, const ProgramTensors& tensors)
    : program_(program), tensors_(tensors), fixed_(program) {}

// The fixed one of two; null if both are fixed or none is.
const jit::Value* Affines::fixed_operand(jit::Node* node) const {
  const bool first = fixed_.is_fixed(node->input(0));
  const bool second = fixed_.is_fixed(node->input(1));
  return first == second ? nullptr : node->input(first ? 0 : 1);
}

const jit::Value* Affines::input_of(jit::Node* node) const {
  if (is_fixed_batch_norm(node)) {
    return node->input(0);
  }
  if (is_negation(node)) {
    return fixed_.is_fixed(node->input(0)) ? nullptr : node->input(0);
  }
  if (!is_product(node) && !is_difference_or_sum(node)) {
    return nullptr;
  }
  const auto* fixed = fixed_operand(node);
  const bool divides = operator_of(node) == "div";
  if (fixed == nullptr || (divides && fixed == node->input(0))) {
    return nullptr;
  }
  return node->input(fixed == node->input(0) ? 1 : 0);
}

bool Affines::adds(jit::Node* node) const {
  if (!is_difference_or_sum(node)) {
    return false;
  }
  const auto [first, second] = signs_of(node);
  const auto* input = input_of(node);
  return input != nullptr && (input == node->input(0) ? first : second) == 1.0;
}

bool Affines::is_sum(jit::Node* node) const {
  return is_difference_or_sum(node) && operator_of(node) == "add" &&
         constant_number(node->input(2)) == 1.0 && is_tensor(node->input(0)) &&
         is_tensor(node->input(1)) && !fixed_.is_fixed(node->input(0)) &&
         !fixed_.is_fixed(node->input(1));
}

bool Affines::is_gate(jit::Node* node) const {
  return is_product(node) && operator_of(node) == "mul" && node->input(0) != node->input(1) &&
         is_tensor(node->input(0)) && is_tensor(node->input(1)) &&
         !fixed_.is_fixed(node->input(0)) && !fixed_.is_fixed(node->input(1));
}

std::optional<Affine> Affines::at(jit::Node* node, const Channels& channels) const {
  if (input_of(node) == nullptr) {
    return std::nullopt;
  }
  if (is_negation(node)) {
    return Affine{.line = {.factor = torch::full({}, -1.0, torch::kDouble)}, .first = node};
  }
  auto affine = is_fixed_batch_norm(node) ? norm(node, channels)
                : is_product(node)        ? product(node, channels)
                                          : sum(node, channels);
  const auto is_finite = [](const torch::Tensor& numbers) {
    return torch::isfinite(numbers).all().item<bool>();
  };
  return affine && is_finite(affine->line.factor) && is_finite(affine->line.offset) ? affine
                                                                                    : std::nullopt;
}

std::optional<Channels> Affines::channels_of(jit::Node* node) const {
  if (input_of(node) == nullptr || is_fixed_batch_norm(node) || is_negation(node)) {
    return std::nullopt;
  }
  const auto numbers = fixed_.tensor_of(fixed_operand(node));
  if (!numbers.defined() || numbers.numel() < 2 ||
      numbers.numel() != *std::max_element(numbers.sizes().begin(), numbers.sizes().end())) {
    return std::nullopt;
  }
  std::int64_t behind = 0;
  while (numbers.size(numbers.dim() - 1 - behind) == 1) {
    ++behind;
  }
  return Channels{numbers.numel(), behind};
}

// Undefined unless there is one number for all channels or one for each.
torch::Tensor Affines::numbers_of(const jit::Value* value, const Channels& channels) const {
  const auto tensor = fixed_.tensor_of(value);
  if (!tensor.defined() || tensor.is_complex()) {
    return {};
  }
  const auto numbers = tensor.detach().to(torch::kDouble);
  if (numbers.numel() == 1 && (!channels.behind || numbers.dim() <= *channels.behind + 2)) {
    return numbers.reshape({});
  }
  if (numbers.numel() != channels.count) {
    return {};
  }
  const auto known = channels.behind;
  std::int64_t behind = known.value_or(0);
  // Numbers in front of dimensions of 1 are for dimension 1, whatever is behind.
  while (!known && behind < numbers.dim() - 1 && numbers.size(numbers.dim() - 1 - behind) == 1) {
    ++behind;
  }
  const bool fits = numbers.dim() > behind && (known || behind > 0) &&
                    numbers.size(numbers.dim() - 1 - behind) == channels.count;
  return fits ? numbers.reshape({channels.count}) : torch::Tensor();
}

// The tensor that the value is, reshaped or, of a term, with other fixed terms beside it.
Affines::Own Affines::own(const jit::Value* value, const Channels& channels, bool is_term) const {
  const auto tensor = tensors_.own_tensor(value);
  if (tensor.defined()) {
    if (tensor.dim() == 0 || tensor.numel() != channels.count || !tensor.is_contiguous()) {
      return {};
    }
    return {.tensor = tensor.dim() == 1 ? tensor : tensor.view({channels.count}), .read = value};
  }
  const jit::Node* node = value->node();
  const bool is_sum_of_terms = is_term && is_difference_or_sum(node);
  if (value->uses().size() != 1 || !(is_reshape(node) || is_sum_of_terms)) {
    return {};
  }
  Own found = own(node->input(0), channels, is_term);
  double factor = 1.0;
  if (is_sum_of_terms) {
    const auto [first, second] = signs_of(node);
    factor = first;
    if (!found.tensor.defined() && is_tensor(node->input(1))) {
      found = own(node->input(1), channels, is_term);
      factor = second;
    }
  }
  found.factor *= factor;
  found.by = found.by == nullptr ? node : found.by;
  return found;
}

const jit::Node* Affines::earlier(const jit::Node* a, const jit::Node* b) const {
  return b != nullptr && program_.position(b) < program_.position(a) ? b : a;
}

void Affines::take_weight(Affine& affine, const Own& own) const {
  if (own.tensor.defined()) {
    affine.weight = own.tensor;
    affine.named_by = own.read;
    affine.first = earlier(affine.first, own.by);
  }
}

void Affines::take_bias(Affine& affine, const Own& own, double factor) const {
  if (own.tensor.defined() && own.factor * factor != 0.0) {
    affine.bias = own.tensor;
    affine.bias_factor = own.factor * factor;
    affine.named_by = own.read;
    affine.first = earlier(affine.first, own.by);
  }
}

std::optional<Affine> Affines::product(jit::Node* node, const Channels& channels) const {
  const auto* operand = fixed_operand(node);
  const auto numbers = numbers_of(operand, channels);
  if (!numbers.defined()) {
    return std::nullopt;
  }
  Affine affine{.first = node};
  if (operator_of(node) == "div") {
    affine.line.factor = numbers.reciprocal();
  } else {
    affine.line.factor = numbers;
    take_weight(affine, own(operand, channels, false));
  }
  return affine;
}

std::optional<Affine> Affines::sum(jit::Node* node, const Channels& channels) const {
  const auto* operand = fixed_operand(node);
  const auto numbers = numbers_of(operand, channels);
  if (!numbers.defined()) {
    return std::nullopt;
  }
  const bool is_first = operand == node->input(0);
  const auto [first, second] = signs_of(node);
  Affine affine{.first = node};
  affine.line.factor = affine.line.factor * (is_first ? second : first);
  affine.line.offset = numbers * (is_first ? first : second);
  take_bias(affine, own(operand, channels, true), is_first ? first : second);
  return affine;
}

std::optional<Affine> Affines::norm(jit::Node* node, const Channels& channels) const {
  const auto numbers = [&](std::size_t input, double otherwise) {
    const auto* value = node->input(input);
    return tensors_.is_none(value) ? torch::full({channels.count}, otherwise, torch::kDouble)
                                   : numbers_of(value, {channels.count, 0});
  };
  const auto weight = numbers(1, 1.0);
  const auto bias = numbers(2, 0.0);
  const auto mean = numbers(3, 0.0);
  const auto variance = numbers(4, 1.0);
  const auto eps = constant_number(node->input(7));
  if (!weight.defined() || !bias.defined() || !mean.defined() || !variance.defined() || !eps) {
    return std::nullopt;
  }
  Affine affine{.first = node};
  affine.line.factor = weight * (variance + *eps).rsqrt();
  affine.line.offset = bias - mean * affine.line.factor;
  const auto own = [&](std::size_t input) {
    return Own{
        .tensor = tensors_.own_tensor(node->input(input)), .read = node->input(input), .by = node};
  };
  take_bias(affine, own(2), 1.0);
  take_weight(affine, own(1));
  affine.mean = tensors_.own_tensor(node->input(3));
  return affine;
}

}  // namespace actswap
