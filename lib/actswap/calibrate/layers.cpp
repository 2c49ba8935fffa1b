#include <actswap/calibrate/layers.h>
#include <actswap/calibrate/producers.h>
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

// By the memory of a tensor, which views of it share.
using Paths = std::map<const void*, std::string>;

Paths paths_of(const jit::Module& module, const KeptEntries& pruned) {
  Paths paths;
  const auto add = [&](const std::string& path) {
    const auto tensor = tensor_at(module, path);
    if (tensor.defined()) {
      paths.emplace(tensor.const_data_ptr(), path);
    }
  };
  for (const auto& [entry, kept] : pruned.indices) {
    add(entry.first);
  }
  for (const auto& path : pruned.readers) {
    add(path);
  }
  return paths;
}

class Analysis {
 public:
  Analysis(Program& program, const KeptEntries& pruned)
      : graph_(program.graph()),
        program_(program),
        pruned_(pruned),
        paths_(paths_of(program.module(), pruned)),
        tensors_(program),
        forms_(program, tensors_),
        affines_(program, tensors_),
        producers_(program, forms_, affines_, tensors_) {}

  Neighbourhood run() {
    Neighbourhood found;
    std::map<const jit::Node*, std::vector<std::size_t>> reached;  // layers, by which sites
    for (jit::Node* node : graph_.nodes()) {
      if (is_blend_call(node)) {
        found.sites.push_back(site(node));
        std::set<const jit::Value*> visited;
        reach(node->output(), found.sites.size() - 1, reached, visited, false, found.sites.back());
      }
    }
    // A layer further on gets changed inputs too, by the errors that earlier layers could not make
    // up for.
    std::set<const jit::Value*> changed;
    for (jit::Node* node : graph_.nodes()) {
      if (!is_blend_call(node) && !reads_any(node, changed) && !reads_removed(node)) {
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
      if (const auto* matrix = forms_.unknown_product(node)) {
        found.left_out.push_back(module_of(matrix, node) + ": no fit for this equation of einsum");
      }
      const auto* form = forms_.at(node);
      if (form == nullptr || (!changed.contains(form->input) && !reads_removed(node))) {
        continue;
      }
      std::string reason;
      if (auto layer = make_layer(*form, reason)) {
        for (const std::size_t number : reached[node]) {
          found.sites[number].reaches_layer = true;
        }
        find_site(*layer, found.sites);
        found.layers.push_back(std::move(*layer));
      } else {
        found.left_out.push_back(module_of(form->weight, node) + ": " + reason);
      }
    }
    return found;
  }

 private:
  // A layer that reads units which are removed or will be.
  bool reads_removed(const jit::Node* node) const {
    const auto* form = forms_.at(node);
    const auto weight = form == nullptr ? torch::Tensor() : forms_.weight_of(*form);
    return weight.defined() && pruned_.readers.contains(path_of(weight));
  }

  std::string path_of(const torch::Tensor& tensor) const {
    const auto found = paths_.find(tensor.const_data_ptr());
    return found == paths_.end() ? std::string() : found->second;
  }

  torch::Tensor kept_of(const torch::Tensor& tensor, std::int64_t dim) const {
    const auto found = pruned_.indices.find({path_of(tensor), dim});
    return found == pruned_.indices.end() ? torch::Tensor() : found->second;
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
             std::set<const jit::Value*>& visited, bool through_sum, BlendSite& site) const {
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
        site.past_layers = site.past_layers || !through_sum;
        site.is_returned = site.is_returned || (!through_sum && !is_blend_call(use.user));
        continue;
      }
      for (const jit::Value* output : outermost(use.user)->outputs()) {
        reach(output, site_number, reached, visited, through_sum || affines_.is_sum(use.user),
              site);
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

  std::optional<Layer> make_layer(const LayerForm& form, std::string& reason) const {
    Layer layer;
    layer.name = module_of(form.weight, form.node);
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
    const bool is_turned_over = form.has_inputs_first || layer.geometry.is_transposed;
    layer.kept_outputs = kept_of(layer.weight, is_turned_over ? 1 : 0);
    layer.kept_inputs = kept_of(layer.weight, is_turned_over ? 0 : 1);
    return layer;
  }

  // The site whose output is the layer's input, but for affines; its channels are the layer's.
  void find_site(Layer& layer, const std::vector<BlendSite>& sites) const {
    const Channels channels = {layer.weight.size(1) * layer.geometry.groups,
                               layer.is_convolution ? layer.weight.dim() - 2 : 0};
    const jit::Value* value = layer.input;
    const jit::Node* reader = layer.node;
    Line line;
    while (sole_reader(graph_, value) == reader) {
      jit::Node* node = const_cast<jit::Node*>(value->node());
      const auto affine = affines_.at(node, channels);
      if (!affine && !is_identity_in_eval(node) && !(channels.behind == 0 && is_view(node))) {
        break;
      }
      line = affine ? affine->line.then(line) : line;
      reader = node;
      value = affine ? affines_.input_of(node) : node->input(0);
    }
    for (std::size_t i = 0; i < sites.size(); ++i) {
      const auto& site = sites[i];
      if (site.output == value && sole_reader(graph_, value) == reader && site.bias.defined() &&
          site.bias.numel() == channels.count && site.channel_dim == channels.dim()) {
        layer.site = static_cast<std::int64_t>(i);
        layer.site_scale = line.factor;
      }
    }
  }

  void compare_at(Layer& layer) const {
    const Channels channels = {layer.weight.size(0),
                               layer.is_convolution ? layer.weight.dim() - 2 : 0};
    layer.compared = layer.output;
    Line line;
    while (jit::Node* reader = sole_reader(graph_, layer.compared)) {
      const auto affine = affines_.input_of(reader) == layer.compared
                              ? affines_.at(reader, channels)
                              : std::nullopt;
      const bool is_sum = affines_.is_sum(reader);
      if (!affine && !is_identity_in_eval(reader) && !affines_.adds(reader) && !is_sum) {
        break;
      }
      if (affine) {
        take_offset(layer, *affine, line);
        line = line.then(affine->line);
        layer.scale = line.factor;
      }
      layer.compared = reader->output();
      if (is_sum) {
        break;
      }
    }
  }

  // For a layer without bias. The nodes that read the tensor must run after the layer.
  void take_offset(Layer& layer, const Affine& affine, const Line& before) const {
    if (layer.takes_offset() || program_.position(affine.first) < program_.position(layer.node)) {
      return;
    }
    if (affine.mean.defined()) {
      layer.offset = {affine.mean, -before.factor};
    } else if (affine.bias.defined()) {
      layer.offset = {affine.bias, before.factor * affine.line.factor / affine.bias_factor};
    }
  }

  // Empty if it is no batch norm, or has no factor and offset of its own.
  std::optional<BatchNorm> make_norm(jit::Node* node, const std::vector<Layer>& layers) const {
    if (!is_fixed_batch_norm(node)) {
      return std::nullopt;
    }
    const auto eps = jit::toIValue(node->input(7));
    BatchNorm norm;
    norm.name = module_of(node->input(1), node);
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
    norm.is_behind_layer = is_behind(node, layers);
    norm.kept_channels = kept_of(norm.weight, 0);
    return norm;
  }

  bool is_behind(jit::Node* affine, const std::vector<Layer>& layers) const {
    const jit::Value* value = affines_.input_of(affine);
    const auto gives = [&](const Layer& layer) { return layer.output == value; };
    while (std::none_of(layers.begin(), layers.end(), gives)) {
      jit::Node* node = const_cast<jit::Node*>(value->node());
      if (is_identity_in_eval(node)) {
        value = node->input(0);
      } else if (affines_.input_of(node) != nullptr) {
        value = affines_.input_of(node);
      } else {
        return false;
      }
    }
    return true;
  }

  // Whether the value goes, by way of affines, into a node of this kind.
  template <class Kind>
  bool feeds(const jit::Value* value, const Kind& is_kind) const {
    return std::any_of(value->uses().begin(), value->uses().end(), [&](const jit::Use& use) {
      jit::Node* user = use.user;
      const bool passes = affines_.input_of(user) == value || is_identity_in_eval(user);
      return is_kind(user) || (passes && feeds(user->output(), is_kind));
    });
  }

  BlendSite site(jit::Node* call) const {
    BlendSite site;
    site.path = attribute_path(call->input(0));
    site.call = call;
    site.input = call->input(1);
    site.output = call->output();
    site.feeds_sum = feeds(site.output, [&](jit::Node* node) { return affines_.is_sum(node); });
    site.feeds_gate = feeds(site.output, [&](jit::Node* node) { return affines_.is_gate(node); });
    auto producer = producers_.of(site.input, call);
    if (producer.bias.defined()) {
      site.bias = producer.bias;
      site.weight = producer.weight;
      site.line = producer.line;
      site.producer = producer.name;
      site.producer_node = producer.first;
      site.channel_dim = producer.channel_dim;
    }
    return site;
  }

  jit::Graph& graph_;
  const Program& program_;
  const KeptEntries& pruned_;
  Paths paths_;
  ProgramTensors tensors_;
  LayerForms forms_;
  Affines affines_;
  Producers producers_;
};

}  // namespace

void add_offset(const Layer& layer, const torch::Tensor& numbers) {
  if (layer.bias.defined()) {
    torch::Tensor(layer.bias).add_(numbers);
  } else if (layer.offset.tensor.defined()) {
    const auto change = layer.offset.factor * numbers.to(torch::kDouble);
    torch::Tensor(layer.offset.tensor).add_(change.to(layer.offset.tensor.dtype()));
  }
}

Neighbourhood find_neighbours(Program& program, const KeptEntries& pruned) {
  return Analysis(program, pruned).run();
}

}  // namespace actswap
