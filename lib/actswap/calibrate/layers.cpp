#include <actswap/calibrate/layers.h>
#include <actswap/graph/blend.h>
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

bool is_blend_call(const jit::Node* node) {
  if (node->kind() != c10::prim::CallMethod) {
    return false;
  }
  const auto type = node->input(0)->type()->cast<c10::ClassType>();
  return type != nullptr && is_blend(type);
}

// "body.0.conv.weight" of a chain of attributes; what it begins with is not looked at.
std::string attribute_path(const jit::Value* value) {
  std::string path;
  for (; value->node()->kind() == c10::prim::GetAttr; value = value->node()->input(0)) {
    const auto& name = value->node()->s(c10::attr::name);
    path.insert(0, path.empty() ? name : name + ".");
  }
  return path;
}

std::optional<std::vector<std::int64_t>> constant_ints(jit::Value* value) {
  const auto constant = jit::toIValue(value);
  if (!constant) {
    return std::nullopt;
  }
  if (constant->isInt()) {
    return std::vector<std::int64_t>{constant->toInt()};
  }
  return constant->isIntList() ? std::optional(constant->toIntVector()) : std::nullopt;
}

bool is_constant_false(jit::Value* value) {
  const auto constant = jit::toIValue(value);
  return constant && constant->isBool() && !constant->toBool();
}

class Analysis {
 public:
  explicit Analysis(Program& program)
      : graph_(program.graph()), bindings_(program.module()._ivalue().get(), graph_) {
    for_each_node(graph_.block(), [&](jit::Node* node) {
      for (const jit::Value* input : node->inputs()) {
        const auto tensor = tensor_of(input);
        if (tensor.defined()) {
          ++reads_[tensor.unsafeGetTensorImpl()];
        }
      }
    });
  }

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
      if (!changed.contains(node->input(0))) {
        continue;
      }
      if (auto norm = make_norm(node, found.layers)) {
        found.norms.push_back(std::move(*norm));
      }
      if (!is_layer(node)) {
        continue;
      }
      std::string reason;
      if (auto layer = make_layer(node, reason)) {
        for (const std::size_t number : reached[node]) {
          found.sites[number].reaches_layer = true;
        }
        layer->site = sole_site(*layer, found.sites);
        found.layers.push_back(std::move(*layer));
      } else {
        found.left_out.push_back(name_of(node) + ": " + reason);
      }
    }
    return found;
  }

 private:
  // A parameter, buffer or constant.
  torch::Tensor tensor_of(const jit::Value* value) const {
    const jit::Node* node = value->node();
    if (node->kind() == c10::prim::Constant && node->hasAttribute(c10::attr::value) &&
        node->kindOf(c10::attr::value) == jit::AttributeKind::t) {
      return node->t(c10::attr::value);
    }
    const auto attribute = attribute_of(value);
    return attribute && attribute->isTensor() ? attribute->toTensor() : torch::Tensor();
  }

  bool is_none(const jit::Value* value) const {
    const auto attribute = attribute_of(value);
    return value->mustBeNone() || (attribute && attribute->isNone());
  }

  // What a read of an attribute gives.
  std::optional<c10::IValue> attribute_of(const jit::Value* value) const {
    const jit::Node* node = value->node();
    const auto* owner =
        node->kind() == c10::prim::GetAttr ? bindings_.object_of(node->input(0)) : nullptr;
    return owner == nullptr ? std::nullopt
                            : std::optional(owner->getAttr(node->s(c10::attr::name)));
  }

  // Undefined where something else reads it too.
  torch::Tensor own_tensor(const jit::Value* value) const {
    const auto tensor = tensor_of(value);
    const bool is_own = tensor.defined() && reads_.at(tensor.unsafeGetTensorImpl()) == 1 &&
                        tensor.is_floating_point();
    return is_own ? tensor : torch::Tensor();
  }

  static bool is_layer(const jit::Node* node) {
    return is_aten(node, "linear") || is_aten(node, "conv1d") || is_aten(node, "conv2d") ||
           is_aten(node, "conv3d") || is_aten(node, "_convolution") ||
           is_aten(node, "convolution") || is_aten(node, "conv_transpose1d") ||
           is_aten(node, "conv_transpose2d") || is_aten(node, "conv_transpose3d") ||
           is_aten(node, "lstm") || is_aten(node, "gru");
  }

  std::string name_of(const jit::Node* layer) const {
    const auto path = layer->inputs().size() > 1 ? attribute_path(layer->input(1)) : "";
    if (path.empty()) {
      return std::string(layer->kind().toUnqualString()) + " without parameters";
    }
    return path.substr(0, path.rfind('.'));
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
      if (use.user->owningBlock() == graph_.block() && is_layer(use.user)) {
        if (use.offset == 0) {
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

  static bool is_sum(const jit::Node* node) {
    if (!is_aten(node, "add") && !is_aten(node, "add_")) {
      return false;
    }
    const auto alpha = node->inputs().size() == 3 ? jit::toIValue(node->input(2)) : std::nullopt;
    return node->inputs().size() == 3 && alpha && alpha->isScalar() &&
           alpha->toScalar().to<double>() == 1.0 &&
           node->input(0)->type()->isSubtypeOf(*c10::TensorType::get()) &&
           node->input(1)->type()->isSubtypeOf(*c10::TensorType::get());
  }

  // batch_norm(x, weight, bias, running_mean, running_var, training, momentum, eps, cudnn)
  static bool is_fixed_batch_norm(jit::Node* node) {
    return is_aten(node, "batch_norm") && is_constant_false(node->input(5));
  }

  static bool is_identity_in_eval(jit::Node* node) {
    return (is_aten(node, "dropout") || is_aten(node, "dropout_")) &&
           is_constant_false(node->input(2));
  }

  std::optional<Layer> make_layer(jit::Node* node, std::string& reason) const {
    Layer layer;
    layer.name = name_of(node);
    layer.node = node;
    layer.input = node->input(0);
    layer.is_convolution = !is_aten(node, "linear");
    if (layer.is_convolution && !read_geometry(node, layer)) {
      reason = "no fit for this kind of layer (" + std::string(node->kind().toUnqualString()) + ")";
      return std::nullopt;
    }
    layer.weight = own_tensor(node->input(1));
    if (!layer.weight.defined() || layer.weight.dim() < 2) {
      reason = "its weight is computed, or shared with another layer";
      return std::nullopt;
    }
    if (layer.is_transposed) {
      layer.weight = layer.weight.transpose(0, 1);
    }
    if (!is_none(node->input(2))) {
      layer.bias = own_tensor(node->input(2));
      if (!layer.bias.defined()) {
        reason = "its bias is computed, or shared with another layer";
        return std::nullopt;
      }
    }
    compare_at(node, layer);
    return layer;
  }

  // conv2d(x, weight, bias, stride, padding, dilation, groups);
  // conv_transpose2d(x, weight, bias, stride, padding, output_padding, groups, dilation);
  // _convolution(x, weight, bias, stride, padding, dilation, transposed, output_padding, groups,
  // ...)
  static bool read_geometry(jit::Node* node, Layer& layer) {
    const std::string kind = node->kind().toUnqualString();
    const bool is_general = kind == "_convolution" || kind == "convolution";
    const bool is_transposed = kind.starts_with("conv_transpose");
    if (!is_general && !is_transposed && kind != "conv1d" && kind != "conv2d" && kind != "conv3d") {
      return false;
    }
    const auto transposed = is_general ? jit::toIValue(node->input(6)) : std::nullopt;
    const auto stride = constant_ints(node->input(3));
    const auto padding = constant_ints(node->input(4));
    const auto dilation = constant_ints(node->input(is_transposed ? 7 : 5));
    const auto groups = constant_ints(node->input(is_general ? 8 : 6));
    if (!stride || !padding || !dilation || !groups || (is_general && !transposed)) {
      return false;
    }
    layer.stride = *stride;
    layer.padding = *padding;
    layer.dilation = *dilation;
    layer.groups = groups->front();
    layer.is_transposed = is_transposed || (transposed && transposed->toBool());
    return !layer.is_transposed || layer.groups == 1;
  }

  // Its channels are then the layer's.
  std::int64_t sole_site(const Layer& layer, const std::vector<BlendSite>& sites) const {
    const jit::Value* value = layer.input;
    const jit::Node* reader = layer.node;
    while (sole_reader(value) == reader &&
           is_identity_in_eval(const_cast<jit::Node*>(value->node()))) {
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

  void compare_at(jit::Node* node, Layer& layer) const {
    layer.compared = node->output();
    jit::Node* reader = sole_reader(layer.compared);
    if (reader != nullptr && is_fixed_batch_norm(reader)) {
      const auto variance = tensor_of(reader->input(4));
      const auto eps = jit::toIValue(reader->input(7));
      const auto weight = tensor_of(reader->input(1));
      if (!variance.defined() || !eps) {
        return;
      }
      layer.scale = (variance + eps->toDouble()).rsqrt();
      if (weight.defined()) {
        layer.scale = layer.scale * weight;
      }
      if (!layer.bias.defined()) {
        layer.running_mean = own_tensor(reader->input(3));
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
    norm.name = name_of(node);
    norm.node = node;
    norm.input = node->input(0);
    norm.output = node->output();
    norm.weight = own_tensor(node->input(1));
    norm.bias = own_tensor(node->input(2));
    norm.running_mean = own_tensor(node->input(3));
    norm.running_var = own_tensor(node->input(4));
    if (!norm.weight.defined() || !norm.bias.defined() || !norm.running_mean.defined() ||
        !norm.running_var.defined() || !eps) {
      return std::nullopt;
    }
    norm.eps = eps->toDouble();
    norm.is_behind_layer = std::any_of(layers.begin(), layers.end(), [&](const Layer& layer) {
      return layer.node == norm.input->node();
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
    std::size_t bias = 0;
    Layer geometry;
    if (is_layer(node)) {
      if (!is_aten(node, "linear") && !read_geometry(node, geometry)) {
        return;
      }
      bias = 2;
      site.channel_dim = is_aten(node, "linear") ? kLast : 1;
    } else if (is_fixed_batch_norm(node)) {
      bias = 2;
      site.channel_dim = 1;
    } else if (is_aten(node, "group_norm") || is_aten(node, "layer_norm")) {
      bias = 3;
      site.channel_dim = is_aten(node, "layer_norm") ? kLast : 1;
    } else if (is_identity_in_eval(node)) {
      find_producer(node->input(0), node, site);
      return;
    } else if (is_sum(node)) {
      for (std::size_t i = 0; i < 2 && !site.bias.defined(); ++i) {
        find_producer(node->input(i), node, site);
      }
      site.weight = torch::Tensor();  // it scales one of the terms
      return;
    } else {
      return;
    }
    const auto tensor = own_tensor(node->input(bias));
    if (tensor.defined() && tensor.dim() == 1) {
      site.bias = tensor;
      site.weight = own_tensor(node->input(bias - 1));
      if (geometry.is_transposed && site.weight.defined()) {
        site.weight = site.weight.transpose(0, 1);
      }
      site.producer = name_of(node);
      site.producer_node = node;
    }
  }

  jit::Graph& graph_;
  Bindings bindings_;
  std::unordered_map<const c10::TensorImpl*, int> reads_;
};

}  // namespace

Neighbourhood find_neighbours(Program& program) {
  return Analysis(program).run();
}

}  // namespace actswap
