#include <actswap/base/error.h>
#include <actswap/graph/thaw.h>
#include <actswap/graph/walk.h>

#include <torch/csrc/jit/api/function_impl.h>
#include <torch/csrc/jit/ir/constants.h>

#include <algorithm>
#include <set>

namespace actswap {

namespace jit = torch::jit;

namespace {

bool has_weights(const jit::Node* node) {
  static const std::set<std::string> kOperators = {
      "conv1d",           "conv2d",       "conv3d",        "conv_transpose1d", "conv_transpose2d",
      "conv_transpose3d", "_convolution", "convolution",   "linear",           "addmm",
      "matmul",           "mm",           "bmm",           "embedding",        "batch_norm",
      "layer_norm",       "group_norm",   "instance_norm", "rms_norm"};
  return node->kind().is_aten() && kOperators.contains(node->kind().toUnqualString());
}

// batch_norm(input, weight, bias, running_mean, running_var, ...): the statistics are no weights.
bool is_statistic(const jit::Use& use) {
  const std::string name = use.user->kind().toUnqualString();
  return (name == "batch_norm" || name == "instance_norm") && (use.offset == 3 || use.offset == 4);
}

bool is_einsum(const jit::Node* node) {
  return node->kind() == c10::Symbol::aten("einsum");
}

bool is_one_of_einsum(const jit::Use& use) {
  return use.user->kind() == c10::prim::ListConstruct &&
         std::any_of(use.user->output()->uses().begin(), use.user->output()->uses().end(),
                     [](const jit::Use& list) { return is_einsum(list.user); });
}

bool is_constant(const jit::Value* value) {
  return value->node()->kind() == c10::prim::Constant ||
         value->node()->kind() == c10::prim::GetAttr;
}

// x * constant + constant, also one of the two or several.
const jit::Value* input_of_affine(const jit::Node* node) {
  static const std::set<std::string> kOperators = {"mul", "div", "add", "sub"};
  if (!node->kind().is_aten() || !kOperators.contains(node->kind().toUnqualString())) {
    return nullptr;
  }
  const bool is_first_constant = is_constant(node->input(0));
  return is_first_constant == is_constant(node->input(1)) ? nullptr
                                                          : node->input(is_first_constant ? 1 : 0);
}

// One number for each channel of a layer's or norm's output, which only such numbers are between.
bool is_per_channel(const jit::Use& use, const torch::Tensor& tensor) {
  const jit::Value* value = input_of_affine(use.user);
  if (value == nullptr || tensor.numel() < 2 ||
      tensor.numel() != *std::max_element(tensor.sizes().begin(), tensor.sizes().end())) {
    return false;
  }
  while (const auto* input = input_of_affine(value->node())) {
    value = input;
  }
  return has_weights(value->node()) && is_constant(value->node()->input(1));
}

bool is_weight(jit::Node* node) {
  if (node->kind() != c10::prim::Constant || node->outputs().size() != 1) {
    return false;
  }
  const auto value = jit::toIValue(node->output());
  if (!value || !value->isTensor() || !value->toTensor().defined() ||
      !value->toTensor().is_floating_point() || value->toTensor().dim() == 0) {
    return false;
  }
  const auto& uses = node->output()->uses();
  return std::any_of(uses.begin(), uses.end(), [&](const jit::Use& use) {
    return (has_weights(use.user) && !is_statistic(use)) || is_one_of_einsum(use) ||
           is_per_channel(use, value->toTensor());
  });
}

}  // namespace

std::size_t thaw(Model& model) {
  const auto edited = recompile(model.module);
  const auto type = edited.type();
  std::size_t count = 0;
  for (auto* method : user_methods(type)) {
    auto& code = *jit::toGraphFunction(*method).graph();
    for_each_node(code.block(), [&](jit::Node* node) {
      if (!is_weight(node)) {
        return;
      }
      const auto name = "thawed_" + std::to_string(count++);
      const auto tensor = jit::toIValue(node->output())->toTensor().detach().clone();
      jit::Module(edited).register_parameter(name, tensor.set_requires_grad(true), false);
      const jit::WithInsertPoint guard(node);
      auto& graph = *node->owningGraph();
      node->output()->replaceAllUsesWith(graph.insertGetAttr(self_in(code, &graph), name));
      node->destroy();
    });
  }
  if (count == 0) {
    throw UsageError("There is nothing to thaw in '" + model.path +
                     "': no constant weights; its parameters can be trained as they are");
  }
  model.module = recompile(edited);
  return count;
}

}  // namespace actswap
