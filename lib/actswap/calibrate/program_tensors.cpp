#include <actswap/calibrate/node_kinds.h>
#include <actswap/calibrate/program_tensors.h>
#include <actswap/graph/uncalled_methods.h>

#include <algorithm>
#include <set>
#include <utility>
#include <vector>

namespace actswap {

namespace jit = torch::jit;

namespace {

// What asks a tensor for its kind or its size reads none of its values.
bool reads_values(const jit::Node* node) {
  static const std::set<c10::Symbol> kAsk = {c10::prim::device,
                                             c10::prim::dtype,
                                             c10::prim::requires_grad,
                                             c10::prim::layout,
                                             c10::aten::size,
                                             c10::aten::dim,
                                             c10::aten::__is__,
                                             c10::aten::__isnot__,
                                             c10::Symbol::prim("is_nested"),
                                             c10::aten::is_floating_point,
                                             c10::aten::numel,
                                             c10::aten::len};
  return !kAsk.contains(node->kind());
}

// The memory between its first and its last element.
std::pair<const char*, const char*> span_of(const torch::Tensor& tensor) {
  if (tensor.numel() == 0 || !tensor.has_storage()) {
    return {nullptr, nullptr};
  }
  std::int64_t last = 0;
  for (std::int64_t d = 0; d < tensor.dim(); ++d) {
    last += (tensor.size(d) - 1) * tensor.stride(d);
  }
  const auto* begin = static_cast<const char*>(tensor.const_data_ptr());
  return {begin, begin + (last + 1) * static_cast<std::int64_t>(tensor.element_size())};
}

}  // namespace

torch::Tensor tensor_at(const jit::Module& module, const std::string& path) {
  auto object = module._ivalue();
  for (std::size_t begin = 0;;) {
    const auto end = path.find('.', begin);
    const auto slot = object->type()->findAttributeSlot(path.substr(begin, end - begin));
    if (!slot) {
      return {};
    }
    const auto& value = object->getSlot(*slot);
    if (end == std::string::npos) {
      return value.isTensor() ? value.toTensor() : torch::Tensor();
    }
    if (!value.isObject()) {
      return {};
    }
    object = value.toObject();
    begin = end + 1;
  }
}

std::string attribute_path(const jit::Value* value) {
  std::string path;
  for (; value->node()->kind() == c10::prim::GetAttr; value = value->node()->input(0)) {
    const auto& name = value->node()->s(c10::attr::name);
    path.insert(0, path.empty() ? name : name + ".");
  }
  return path;
}

ProgramTensors::ProgramTensors(Program& program)
    : bindings_(program.module()._ivalue().get(), program.graph()) {
  for_each_constant(program.module(), [this](const c10::IValue& value) {
    if (value.isTensor()) {
      constants_.insert(value.toTensor().unsafeGetTensorImpl());
    }
  });
  for_each_node(program.graph().block(), [&](jit::Node* node) {
    if (!reads_values(node)) {
      return;
    }
    for (const jit::Value* input : node->inputs()) {
      const auto tensor = tensor_of(input);
      if (tensor.defined()) {
        ++reads_[tensor.unsafeGetTensorImpl()];
      }
    }
  });
  for (const auto& [tensor, method] : tensors_of_uncalled_methods(program.module())) {
    ++reads_[tensor];
  }
  for (const auto* tensor : contained_tensors(program.module())) {
    ++reads_[tensor];
  }
  note_overlaps(program.module());
}

// A tensor that lies in the memory of another is read by who reads that.
void ProgramTensors::note_overlaps(const jit::Module& module) {
  struct Held {
    const char* begin;
    const char* end;
    const c10::TensorImpl* tensor;
  };
  std::vector<Held> all;
  for (const auto& entry : distinct_modules(module)) {
    for (const auto& slot : entry.module._ivalue()->slots()) {
      if (slot.isTensor() && slot.toTensor().defined()) {
        const auto [begin, end] = span_of(slot.toTensor());
        all.push_back({begin, end, slot.toTensor().unsafeGetTensorImpl()});
      }
    }
  }
  std::ranges::sort(all, {}, &Held::begin);
  const Held* farthest = nullptr;  // of those before
  for (const auto& held : all) {
    if (farthest != nullptr && held.begin < farthest->end && held.tensor != farthest->tensor) {
      ++reads_[held.tensor];
      ++reads_[farthest->tensor];
    }
    if (farthest == nullptr || held.end > farthest->end) {
      farthest = &held;
    }
  }
}

torch::Tensor ProgramTensors::tensor_of(const jit::Value* value) const {
  if (is_tensor_constant(value->node())) {
    return value->node()->t(c10::attr::value);
  }
  const auto attribute = attribute_of(value);
  return attribute && attribute->isTensor() ? attribute->toTensor() : torch::Tensor();
}

torch::Tensor ProgramTensors::own_tensor(const jit::Value* value) const {
  const auto tensor = tensor_of(value);
  if (!tensor.defined() || !tensor.is_floating_point()) {
    return {};
  }
  if (is_tensor_constant(value->node()) && !constants_.contains(tensor.unsafeGetTensorImpl())) {
    return {};
  }
  const auto reads = reads_.find(tensor.unsafeGetTensorImpl());
  return reads != reads_.end() && reads->second == 1 ? tensor : torch::Tensor();
}

ProgramTensors::Matrix ProgramTensors::matrix_of(const jit::Value* value) {
  Matrix matrix{.read = value};
  while (is_transpose(matrix.read->node())) {
    matrix.read = matrix.read->node()->input(0);
    matrix.is_transposed = !matrix.is_transposed;
  }
  return matrix;
}

bool ProgramTensors::is_parameter(const jit::Value* value) const {
  const jit::Node* node = value->node();
  if (is_tensor_constant(node)) {
    return true;
  }
  const auto* owner =
      node->kind() == c10::prim::GetAttr ? bindings_.object_of(node->input(0)) : nullptr;
  if (owner == nullptr) {
    return false;
  }
  const auto slot = owner->type()->findAttributeSlot(node->s(c10::attr::name));
  return slot && owner->type()->is_parameter(*slot);
}

bool ProgramTensors::is_none(const jit::Value* value) const {
  const auto attribute = attribute_of(value);
  return value->mustBeNone() || (attribute && attribute->isNone());
}

// What a read of an attribute gives.
std::optional<c10::IValue> ProgramTensors::attribute_of(const jit::Value* value) const {
  const jit::Node* node = value->node();
  const auto* owner =
      node->kind() == c10::prim::GetAttr ? bindings_.object_of(node->input(0)) : nullptr;
  return owner == nullptr ? std::nullopt : std::optional(owner->getAttr(node->s(c10::attr::name)));
}

}  // namespace actswap
