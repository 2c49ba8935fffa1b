#include <actswap/graph/classify.h>
#include <actswap/graph/fixed_mode.h>
#include <actswap/graph/input_layout.h>
#include <actswap/graph/model.h>
#include <actswap/graph/walk.h>

#include <torch/csrc/jit/api/function_impl.h>
#include <torch/csrc/jit/ir/constants.h>

#include <algorithm>
#include <set>
#include <unordered_set>

namespace actswap {

namespace jit = torch::jit;

namespace {

// What a trace never leaves behind: calls of functions, branches, loops, the mode read at run time.
bool is_script_only(const jit::Node* node) {
  return node->kind() == c10::prim::CallFunction || node->kind() == c10::prim::If ||
         node->kind() == c10::prim::Loop || node->kind() == c10::prim::RaiseException ||
         (node->kind() == c10::prim::GetAttr && node->s(c10::attr::name) == "training");
}

}  // namespace

std::string_view to_string(ModelKind kind) {
  switch (kind) {
    case ModelKind::scripted:
      return "scripted";
    case ModelKind::traced:
      return "traced";
    case ModelKind::frozen:
      return "frozen";
  }
  return "";
}

void classify(Model& model) {
  const auto modules = distinct_modules(model.module);
  bool script_only = false;
  model.fixed_mode = false;
  for (const auto& type : distinct_types(modules)) {
    // Scripting records a class's __constants__; tracing has none.
    script_only = script_only || type->numConstants() > 0;
    for (auto* method : user_methods(type)) {
      for_each_node(jit::toGraphFunction(*method).graph()->block(), [&](jit::Node* node) {
        script_only = script_only || is_script_only(node);
        model.fixed_mode = model.fixed_mode || fixed_mode(node).has_value();
      });
    }
  }
  if (!model.module.hasattr("training")) {
    model.kind = ModelKind::frozen;
  } else {
    model.kind = script_only ? ModelKind::scripted : ModelKind::traced;
  }
}

std::vector<std::string> argument_names(const jit::Module& module) {
  std::vector<std::string> names;
  const InputLayout layout(module);
  for (const auto& place : layout.places()) {
    names.push_back(place.name);
  }
  return names;
}

std::vector<torch::Tensor> distinct_parameters(const jit::Module& module) {
  std::vector<torch::Tensor> parameters;
  std::unordered_set<const c10::TensorImpl*> known;
  for (const auto& parameter : module.parameters()) {
    if (known.insert(parameter.unsafeGetTensorImpl()).second) {
      parameters.push_back(parameter);
    }
  }
  return parameters;
}

std::int64_t parameter_count(const jit::Module& module) {
  std::int64_t count = 0;
  for (const auto& parameter : distinct_parameters(module)) {
    count += parameter.numel();
  }
  return count;
}

std::string devices_in_code(const jit::Module& module) {
  std::set<std::string> names;
  for_each_constant(module, [&](const c10::IValue& constant) {
    if (constant.isDevice() && !constant.toDevice().is_cpu() && !constant.toDevice().is_meta()) {
      names.insert(constant.toDevice().str());
    }
  });
  std::string text;
  for (const auto& name : names) {
    text += (text.empty() ? "" : ", ") + name;
  }
  return text;
}

std::vector<torch::Tensor> copy_tensors(const std::vector<torch::Tensor>& tensors) {
  std::vector<torch::Tensor> copies;
  copies.reserve(tensors.size());
  for (const auto& tensor : tensors) {
    copies.push_back(tensor.clone());
  }
  return copies;
}

}  // namespace actswap
