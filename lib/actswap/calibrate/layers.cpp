#include <actswap/calibrate/layers.h>
#include <actswap/graph/flatten.h>
#include <actswap/graph/walk.h>

#include <torch/csrc/jit/ir/constants.h>

#include <algorithm>
#include <map>
#include <set>
#include <unordered_map>

namespace actswap {

namespace jit = torch::jit;

namespace {

constexpr std::int64_t kLast = -1;

bool is_aten(const jit::Node* node, const char* name) {
  return node->kind() == c10::Symbol::aten(name);
}

bool is_constant_false(jit::Value* value) {
  const auto constant = jit::toIValue(value);
  return constant && constant->isBool() && !constant->toBool();
}

class Analysis {
 public:
  explicit Analysis(Program& program)
      : graph_(program.graph()), tensors_(program), forms_(program, tensors_) {}

  Neighbourhood run() {
    Neighbourhood found;
    std::map<const jit::Node*, std::vector<std::size_t>> reached;  // layers, by which sites
    for (jit::Node* node : graph_.nodes()) {
      if (is_blend_call(node)) {
        found.sites.push_back(site(node));
        std::set<const jit::Value*> visited;
        reach(node->output(), found.sites.size() - 1, reached, visited, false,
              found.sites.back().past_layers);
      }
    }
    // A layer further on gets other inputs as well, by what the ones before it could not make up
    // for.
    std::set<const jit::Value*> changed;
    for (jit::Node* node : graph_.nodes()) {
      if (!is_blend_call(node) && !reads_any(node, changed)) {
        continue;
      }
      for (const jit::Value* output : node->outputs()) {
        changed.insert(output);
      }
      if (node->inputs().size() > 0 && changed.contains(node->input(0))) {
        if (auto norm = make_norm(node, found.layers)) {
          found.norms.push_back(std::move(*norm));
        }
      }
      const auto* form = forms_.at(node);
      if (form == nullptr || !changed.contains(form->input)) {
        continue;
      }
      std::string reason;
      if (auto layer = make_layer(*form, reason)) {
        for (const std::size_t number : reached[node]) {
          found.sites[number].reaches_layer = true;
        }
        layer->site = sole_site(*layer, found.sites);
        found.layers.push_back(std::move(*layer));
      } else {
        found.left_out.push_back(name_of(form->weight, node) + ": " + reason);
      }
    }
    return found;
  }

 private:
  // Of the module that the tensor belongs to, or of the tensor itself.
  static std::string name_of(const jit::Value* tensor, const jit::Node* reader) {
    const auto path = attribute_path(tensor);
    return path.empty() ? std::string(reader->kind().toUnqualString()) + " without parameters"
                        : path.substr(0, path.rfind('.'));
  }

  // The outermost node that holds it.
  const jit::Node* outermost(const jit::Node* node) const {
    while (node->owningBlock() != graph_.block()) {
      node = node->owningBlock()->owningNode();
    }
    return node;
  }

  // Through anything but layers and blends.
  void reach(const jit::Value* value, std::size_t site_number,
             std::map<const jit::Node*, std::vector<std::size_t>>& reached,
             std::set<const jit::Value*>& visited, bool through_sum, bool& past_layers) const {
    if (!visited.insert(value).second) {
      return;
    }
    for (const auto& use : value->uses()) {
      if (const auto* form = forms_.at(use.user)) {
        if (form->input == value) {
          reached[use.user].push_back(site_number);
        }
        continue;
      }
      if (is_blend_call(use.user) || use.user == graph_.return_node()) {
        past_layers = past_layers || !through_sum;
        continue;
      }
      for (const jit::Value* output : outermost(use.user)->outputs()) {
        reach(output, site_number, reached, visited, through_sum || is_sum(use.user), past_layers);
      }
    }
  }

  // In a nested block, too.
  static bool reads_any(jit::Node* node, const std::set<const jit::Value*>& values) {
    const auto reads = [&](const jit::Node* reader) {
      return std::any_of(reader->inputs().begin(), reader->inputs().end(),
                         [&](const jit::Value* input) { return values.contains(input); });
    };
    bool found = reads(node);
    for (jit::Block* block : node->blocks()) {
      for_each_node(block, [&](jit::Node* inner) { found = found || reads(inner); });
      found = found || reads(block->return_node());
    }
    return found;
  }

  // The node that alone reads the value, if it is of the outermost block.
  jit::Node* sole_reader(const jit::Value* value) const {
    return value->uses().size() == 1 && value->uses()[0].user->owningBlock() == graph_.block()
               ? value->uses()[0].user
               : nullptr;
  }

  // batch_norm(x, weight, bias, running_mean, running_var, training, momentum, eps, cudnn)
  static bool is_fixed_batch_norm(jit::Node* node) {
    return is_aten(node, "batch_norm") && is_constant_false(node->input(5));
  }

  static bool is_identity_in_eval(jit::Node* node) {
    return (is_aten(node, "dropout") || is_aten(node, "dropout_")) &&
           is_constant_false(node->input(2));
  }

  // The last dimension stays what it was, if its size does.
  static bool is_view(const jit::Node* node) {
    return is_aten(node, "view") || is_aten(node, "reshape") || is_aten(node, "_unsafe_view");
  }

  std::optional<Layer> make_layer(const LayerForm& form, std::string& reason) const {
    Layer layer;
    layer.name = name_of(form.weight, form.node);
    layer.node = form.node;
    layer.input = form.input;
    layer.output = form.output;
    layer.is_convolution = form.is_convolution;
    const std::string kind = form.node->kind().toUnqualString();
    if (kind == "lstm" || kind == "gru") {
      reason = "no fit for this kind of layer (" + kind + ")";
      return std::nullopt;
    }
    if (form.is_convolution) {
      const auto geometry = geometry_of(form.node);
      if (!geometry) {
        reason = "no fit for this kind of layer (" + kind + ")";
        return std::nullopt;
      }
      layer.geometry = *geometry;
    }
    layer.weight = forms_.weight_of(form);
    if (!layer.weight.defined() || layer.weight.dim() < 2) {
      reason = "its weight is computed, or shared with another layer";
      return std::nullopt;
    }
    if (layer.weight.numel() == 0) {
      reason = "its weight is empty";
      return std::nullopt;
    }
    layer.bias = forms_.bias_of(form);
    if (form.bias != nullptr && !layer.bias.defined()) {
      reason = "its bias is computed, shared with another layer, or not one number for each output";
      return std::nullopt;
    }
    compare_at(layer);
    return layer;
  }

  // Its channels are then the layer's.
  std::int64_t sole_site(const Layer& layer, const std::vector<BlendSite>& sites) const {
    const jit::Value* value = layer.input;
    const jit::Node* reader = layer.node;
    const auto passes = [&](const jit::Value* passed) {
      return is_identity_in_eval(const_cast<jit::Node*>(passed->node())) ||
             (!layer.is_convolution && is_view(passed->node()));
    };
    while (sole_reader(value) == reader && passes(value)) {
      reader = value->node();
      value = reader->input(0);
    }
    for (std::size_t i = 0; i < sites.size(); ++i) {
      const auto& site = sites[i];
      if (site.output == value && sole_reader(value) == reader && site.bias.defined() &&
          site.bias.numel() == layer.weight.size(1) &&
          site.channel_dim == (layer.is_convolution ? 1 : kLast)) {
        return static_cast<std::int64_t>(i);
      }
    }
    return -1;
  }

  void compare_at(Layer& layer) const {
    layer.compared = layer.output;
    jit::Node* reader = sole_reader(layer.compared);
    if (reader != nullptr && is_fixed_batch_norm(reader)) {
      const auto variance = tensors_.tensor_of(reader->input(4));
      const auto eps = jit::toIValue(reader->input(7));
      const auto weight = tensors_.tensor_of(reader->input(1));
      if (!variance.defined() || !eps) {
        return;
      }
      layer.scale = (variance + eps->toDouble()).rsqrt();
      if (weight.defined()) {
        layer.scale = layer.scale * weight;
      }
      if (!layer.bias.defined()) {
        layer.running_mean = tensors_.own_tensor(reader->input(3));
      }
      layer.compared = reader->output();
      reader = sole_reader(layer.compared);
    }
    if (reader != nullptr && is_identity_in_eval(reader)) {
      layer.compared = reader->output();
      reader = sole_reader(layer.compared);
    }
    if (reader != nullptr && is_sum(reader)) {
      layer.compared = reader->output();
    }
  }

  // None, where it is none, or has no factor and offset of its own.
  std::optional<BatchNorm> make_norm(jit::Node* node, const std::vector<Layer>& layers) const {
    if (!is_fixed_batch_norm(node)) {
      return std::nullopt;
    }
    const auto eps = jit::toIValue(node->input(7));
    BatchNorm norm;
    norm.name = name_of(node->input(1), node);
    norm.node = node;
    norm.input = node->input(0);
    norm.output = node->output();
    norm.weight = tensors_.own_tensor(node->input(1));
    norm.bias = tensors_.own_tensor(node->input(2));
    norm.running_mean = tensors_.own_tensor(node->input(3));
    norm.running_var = tensors_.own_tensor(node->input(4));
    if (!norm.weight.defined() || !norm.bias.defined() || !norm.running_mean.defined() ||
        !norm.running_var.defined() || !eps) {
      return std::nullopt;
    }
    norm.eps = eps->toDouble();
    norm.is_behind_layer = std::any_of(layers.begin(), layers.end(), [&](const Layer& layer) {
      return layer.output == norm.input;
    });
    return norm;
  }

  BlendSite site(jit::Node* call) const {
    BlendSite site;
    site.path = attribute_path(call->input(0));
    site.call = call;
    site.input = call->input(1);
    site.output = call->output();
    const auto& uses = site.output->uses();
    site.feeds_sum =
        std::any_of(uses.begin(), uses.end(), [](const jit::Use& use) { return is_sum(use.user); });
    find_producer(site.input, call, site);
    return site;
  }

  // A bias that reaches nothing but the reader.
  void find_producer(const jit::Value* value, const jit::Node* reader, BlendSite& site) const {
    if (sole_reader(value) != reader) {
      return;
    }
    jit::Node* node = const_cast<jit::Node*>(value->node());
    if (node->owningBlock() != graph_.block()) {
      return;
    }
    if (const auto* form = forms_.giving(value)) {
      if (!form->is_convolution || geometry_of(form->node)) {
        site.channel_dim = form->is_convolution ? 1 : kLast;
        take(site, forms_.bias_of(*form), forms_.weight_of(*form), form->weight, form->node);
      }
    } else if (is_fixed_batch_norm(node)) {
      site.channel_dim = 1;
      take_norm(site, node, 2);
    } else if (is_aten(node, "group_norm") || is_aten(node, "layer_norm")) {
      site.channel_dim = is_aten(node, "layer_norm") ? kLast : 1;
      take_norm(site, node, 3);
    } else if (is_identity_in_eval(node)) {
      find_producer(node->input(0), node, site);
    } else if (is_view(node)) {
      find_producer(node->input(0), node, site);
      if (site.channel_dim != kLast) {
        forget_producer(site);
      }
    } else if (is_sum(node)) {
      for (std::size_t i = 0; i < 2 && !site.bias.defined(); ++i) {
        find_producer(node->input(i), node, site);
      }
      site.weight = torch::Tensor();  // it scales one of the terms
    }
  }

  static void forget_producer(BlendSite& site) {
    site.bias = site.weight = torch::Tensor();
    site.producer.clear();
    site.producer_node = nullptr;
    site.channel_dim = 1;
  }

  // Its weight stands before the bias.
  void take_norm(BlendSite& site, const jit::Node* node, std::size_t bias) const {
    const jit::Value* weight = node->input(bias - 1);
    take(site, tensors_.own_tensor(node->input(bias)), tensors_.own_tensor(weight), weight, node);
  }

  static void take(BlendSite& site, const torch::Tensor& bias, const torch::Tensor& weight,
                   const jit::Value* weight_read, const jit::Node* node) {
    if (bias.defined() && bias.dim() == 1) {
      site.bias = bias;
      site.weight = weight;
      site.producer = name_of(weight_read, node);
      site.producer_node = node;
    }
  }

  jit::Graph& graph_;
  ProgramTensors tensors_;
  LayerForms forms_;
};

}  // namespace

Neighbourhood find_neighbours(Program& program) {
  return Analysis(program).run();
}

}  // namespace actswap
