#include <actswap/calibrate/producers.h>
#include <actswap/graph/flatten.h>

#include <torch/csrc/jit/ir/constants.h>

#include <set>

namespace actswap {

namespace jit = torch::jit;

namespace {

bool is_any_of(const jit::Node* node, const std::set<std::string>& names) {
  return node->kind().is_aten() && names.contains(node->kind().toUnqualString());
}

// Each channel for itself, and with it goes a shift of all of its values.
bool is_pooling(const jit::Node* node) {
  static const std::set<std::string> kNames = {
      "max_pool1d",          "max_pool2d",          "max_pool3d",          "adaptive_avg_pool1d",
      "adaptive_avg_pool2d", "adaptive_avg_pool3d", "upsample_nearest1d",  "upsample_nearest2d",
      "upsample_nearest3d",  "upsample_linear1d",   "upsample_bilinear2d", "upsample_trilinear3d"};
  return is_any_of(node, kNames);
}

}  // namespace

bool is_identity_in_eval(jit::Node* node) {
  static const std::set<std::string> kDropout = {"dropout", "dropout_", "feature_dropout",
                                                 "feature_dropout_"};
  static const std::set<std::string> kCopies = {"contiguous", "clone", "detach", "alias"};
  if (is_any_of(node, kDropout)) {
    const auto training = jit::toIValue(node->input(2));
    return training && training->isBool() && !training->toBool();
  }
  return is_any_of(node, kCopies);
}

// All that may change the last dimension changes its size as well.
bool is_view(const jit::Node* node) {
  static const std::set<std::string> kNames = {"view",      "reshape", "_unsafe_view", "flatten",
                                               "unflatten", "squeeze", "unsqueeze"};
  return is_any_of(node, kNames);
}

jit::Node* sole_reader(const jit::Graph& graph, const jit::Value* value) {
  return value->uses().size() == 1 && value->uses()[0].user->owningBlock() == graph.block()
             ? value->uses()[0].user
             : nullptr;
}

// Or of the tensor itself.
std::string module_of(const jit::Value* tensor, const jit::Node* reader) {
  const auto path = attribute_path(tensor);
  return path.empty() ? std::string(reader->kind().toUnqualString()) + " without parameters"
                      : path.substr(0, path.rfind('.'));
}

Producers::Producers(Program& program, const LayerForms& forms, const Affines& affines,
                     const ProgramTensors& tensors)
    : program_(program), forms_(forms), affines_(affines), tensors_(tensors) {}

Producer Producers::of(const jit::Value* value, const jit::Node* reader) const {
  return source(value, reader);
}

std::optional<Channels> Producers::channels_of(const jit::Value* value) const {
  const auto known = channels_.find(value);
  if (known != channels_.end()) {
    return known->second;
  }
  const auto found = find_channels(value);
  channels_.emplace(value, found);
  return found;
}

std::optional<Channels> Producers::find_channels(const jit::Value* value) const {
  jit::Node* node = const_cast<jit::Node*>(value->node());
  if (const auto* form = forms_.giving(value)) {
    const auto weight = forms_.weight_of(*form);
    return weight.defined() && weight.dim() >= 2
               ? std::optional(
                     Channels{weight.size(0), form->is_convolution ? weight.dim() - 2 : 0})
               : std::nullopt;
  }
  if (is_any_of(node, {"layer_norm"})) {
    const auto weight = tensors_.tensor_of(node->input(2));
    return weight.defined() && weight.dim() == 1 ? std::optional(Channels{weight.numel(), 0})
                                                 : std::nullopt;
  }
  if (is_any_of(node, {"group_norm", "batch_norm"})) {
    const bool is_batch = is_any_of(node, {"batch_norm"});
    const auto known = channels_of(node->input(0));
    const auto numbers = tensors_.tensor_of(node->input(is_batch ? 3 : 2));
    return known               ? known
           : numbers.defined() ? std::optional(Channels{numbers.numel(), {}})
                               : std::nullopt;
  }
  if (is_blend_call(node)) {
    return channels_of(node->input(1));
  }
  if (const auto* input = affines_.input_of(node)) {
    const auto known = channels_of(input);
    return known ? known : affines_.channels_of(node);
  }
  if (is_identity_in_eval(node) || is_pooling(node)) {
    return channels_of(node->input(0));
  }
  if (is_view(node)) {
    const auto known = channels_of(node->input(0));
    return known && known->behind == 0 ? known : std::nullopt;
  }
  if (affines_.is_sum(node)) {
    const auto known = channels_of(node->input(0));
    return known ? known : channels_of(node->input(1));
  }
  return std::nullopt;
}

Producers::Source Producers::source(const jit::Value* value, const jit::Node* reader) const {
  jit::Node* node = const_cast<jit::Node*>(value->node());
  const auto& graph = program_.graph();
  if (sole_reader(graph, value) != reader || node->owningBlock() != graph.block()) {
    return {};
  }
  if (const auto* form = forms_.giving(value)) {
    return of_layer(*form);
  }
  if (is_any_of(node, {"group_norm", "layer_norm"})) {
    return of_norm(node);
  }
  if (affines_.input_of(node) != nullptr) {
    return of_affine(node);
  }
  if (is_identity_in_eval(node) || is_pooling(node)) {
    return source(node->input(0), node);
  }
  if (is_view(node)) {
    auto found = source(node->input(0), node);
    return found.channel_dim == -1 ? found : Source();
  }
  return affines_.is_sum(node) ? of_sum(node) : Source();
}

Producers::Source Producers::of_layer(const LayerForm& form) const {
  const auto weight = forms_.weight_of(form);
  if (form.is_convolution && !geometry_of(form.node)) {
    return {};
  }
  Source found;
  found.channel_dim = form.is_convolution ? 1 : -1;
  found.first = form.node;
  found.name = module_of(form.weight, form.node);
  found.bias = forms_.bias_of(form);
  if (form.bias == nullptr || found.bias.defined()) {
    found.weight = weight;
  }
  return found;
}

// layer_norm(x, shape, weight, bias, ...), group_norm(x, groups, weight, bias, ...)
Producers::Source Producers::of_norm(const jit::Node* node) const {
  Source found;
  found.channel_dim = is_any_of(node, {"layer_norm"}) ? -1 : 1;
  const auto bias = tensors_.own_tensor(node->input(3));
  if (bias.defined() && bias.dim() == 1) {
    found.first = node;
    found.name = module_of(node->input(2), node);
    found.bias = bias;
    found.weight = tensors_.own_tensor(node->input(2));
  }
  return found;
}

// A weight scales one of the terms.
Producers::Source Producers::of_sum(const jit::Node* node) const {
  Source found;
  for (std::size_t i = 0; i < 2 && !found.bias.defined(); ++i) {
    found = source(node->input(i), node);
  }
  found.weight = found.pending = torch::Tensor();
  return found.bias.defined() ? found : Source();
}

Producers::Source Producers::of_affine(jit::Node* node) const {
  const auto* input = affines_.input_of(node);
  auto found = source(input, node);
  const auto channels = channels_of(node->output());
  const auto affine = channels ? affines_.at(node, *channels) : std::nullopt;
  if (!affine) {
    // A sum with other numbers, of positions say, takes a shift along.
    found.weight = found.pending = torch::Tensor();
    return affines_.adds(node) ? found : Source();
  }
  found.channel_dim = channels->dim();
  const auto take_bias = [&](const torch::Tensor& weight, const Line& behind_weight,
                             const jit::Node* first) {
    const auto own = affine->bias_factor * affine->bias.to(torch::kDouble);
    found.weight = weight;
    found.bias = affine->bias;
    found.line.factor = torch::full({}, affine->bias_factor, torch::kDouble);
    found.line.offset = behind_weight.then(affine->line).offset - own;
    found.name = module_of(affine->named_by, node);
    found.first = first == nullptr ? affine->first : affines_.earlier(affine->first, first);
    found.pending = torch::Tensor();
  };
  if (affine->weight.defined() && affine->bias.defined()) {  // of a batch norm
    take_bias(affine->weight, {}, nullptr);
    found.line.offset = torch::zeros({}, torch::kDouble);
  } else if (affine->bias.defined() && found.pending.defined()) {
    take_bias(found.pending, found.behind_pending, found.first_of_pending);
  } else if (affine->bias.defined() && !found.bias.defined()) {
    take_bias(found.weight, found.line, found.first);
  } else {
    found.line = found.line.then(affine->line);
    found.behind_pending = found.behind_pending.then(affine->line);
    if (affine->weight.defined()) {
      found.pending = affine->weight;
      found.behind_pending = {};
      found.first_of_pending = affine->first;
    }
  }
  return found;
}

}  // namespace actswap
