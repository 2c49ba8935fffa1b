#include <actswap/graph/effects.h>

#include <torch/csrc/jit/runtime/operator.h>

#include <algorithm>
#include <string>
#include <unordered_set>

namespace actswap {

namespace jit = torch::jit;

namespace {

// Operators of ATen that give back their input, or a view of it, for some arguments, although their
// schemas do not say so. A test runs the operators of ATen to find those that are missing here.
const std::unordered_set<std::string>& undeclared_views() {
  static const std::unordered_set<std::string> kNames = {"alpha_dropout",
                                                         "atleast_1d",
                                                         "atleast_2d",
                                                         "atleast_3d",
                                                         "cartesian_prod",
                                                         "chain_matmul",
                                                         "conj_physical",
                                                         "data",
                                                         "dequantize",
                                                         "dropout",
                                                         "einsum",
                                                         "feature_alpha_dropout",
                                                         "feature_dropout",
                                                         "flatten_dense_tensors",
                                                         "lift",
                                                         "set",
                                                         "sum_to_size",
                                                         "to_dense",
                                                         "to_mkldnn",
                                                         "to_sparse",
                                                         "type_as",
                                                         "_autocast_to_full_precision",
                                                         "_autocast_to_reduced_precision",
                                                         "_cast_Byte",
                                                         "_cast_Char",
                                                         "_cast_Double",
                                                         "_cast_Float",
                                                         "_cast_Half",
                                                         "_cast_Int",
                                                         "_cast_Long",
                                                         "_cast_Short",
                                                         "_pack_sequence",
                                                         "_remove_batch_dim",
                                                         "_saturate_weight_to_fp16",
                                                         "_unsafe_view"};
  return kNames;
}

bool reads_values(c10::Symbol kind) {
  static const std::unordered_set<std::string> kNames = {
      "aten::size",   "aten::sym_size",  "aten::dim",    "aten::numel",
      "aten::stride", "aten::len",       "aten::__is__", "prim::device",
      "prim::dtype",  "aten::__isnot__", "prim::layout", "prim::isinstance"};
  return !kNames.contains(kind.toQualString());
}

std::vector<std::size_t> memory_inputs(const jit::Node* node) {
  std::vector<std::size_t> inputs;
  for (std::size_t i = 0; i < node->inputs().size(); ++i) {
    if (may_hold_memory(node->input(i)->type())) {
      inputs.push_back(i);
    }
  }
  return inputs;
}

const at::AliasInfo* alias_info(const std::vector<c10::Argument>& arguments, std::size_t index) {
  return index < arguments.size() ? arguments[index].alias_info() : nullptr;
}

// Of a list the annotation stands at what it contains: Tensor(a)[].
template <typename Test>
bool any_level(const at::AliasInfo& info, Test test) {
  const auto& contained = info.containedTypes();
  return test(info) ||
         std::any_of(contained.begin(), contained.end(),
                     [&](const at::AliasInfo& inner) { return any_level(inner, test); });
}

bool is_write(const at::AliasInfo& info) {
  return any_level(info, [](const at::AliasInfo& level) { return level.isWrite(); });
}

bool is_wildcard(const at::AliasInfo& info) {
  return any_level(info, [](const at::AliasInfo& level) { return level.isWildcardBefore(); });
}

bool have_a_set_in_common(const at::AliasInfo& a, const at::AliasInfo& b) {
  return any_level(a, [&](const at::AliasInfo& one) {
    return any_level(b, [&](const at::AliasInfo& other) {
      return std::any_of(one.beforeSets().begin(), one.beforeSets().end(),
                         [&](c10::Symbol set) { return other.beforeSets().contains(set); });
    });
  });
}

std::vector<std::size_t> shared_by_schema(const jit::Node* node, const c10::FunctionSchema& schema,
                                          std::size_t output) {
  const auto& type = node->output(output)->type();
  if (!may_hold_memory(type)) {
    return {};
  }
  auto shared = memory_inputs(node);
  const auto* declared = alias_info(schema.returns(), output);
  if (declared == nullptr) {
    const bool is_tensor = type->isSubtypeOf(*c10::TensorType::get());
    const bool may_share =
        !is_tensor ||
        (node->kind().is_aten() && undeclared_views().contains(node->kind().toUnqualString()));
    return may_share ? shared : std::vector<std::size_t>{};
  }
  if (!is_wildcard(*declared)) {
    std::erase_if(shared, [&](std::size_t input) {
      const auto* given = alias_info(schema.arguments(), input);
      return given == nullptr || !have_a_set_in_common(*declared, *given);
    });
  }
  return shared;
}

// What gives what is in a list or dict, or a list of the same, reads no tensor.
bool takes_out(const jit::Node* node, const c10::FunctionSchema& schema) {
  const auto is_tensor = [](const jit::Value* value) {
    return value->type()->isSubtypeOf(*c10::TensorType::get());
  };
  const auto inputs = node->inputs();
  if (node->outputs().size() != 1 || std::any_of(inputs.begin(), inputs.end(), is_tensor)) {
    return false;
  }
  const auto* declared = alias_info(schema.returns(), 0);
  return may_hold_memory(node->output()->type()) &&
         (!is_tensor(node->output()) || (declared != nullptr && is_wildcard(*declared)));
}

// chunk, split, unbind: a list whose tensors alias the one argument. Indices may overlap.
bool cuts(const jit::Node* node, const c10::FunctionSchema& schema) {
  const auto& arguments = schema.arguments();
  return node->kind().is_aten() && node->outputs().size() == 1 &&
         alias_info(schema.returns(), 0) != nullptr &&
         *node->output()->type() == *c10::ListType::ofTensors() && !arguments.empty() &&
         node->input(0)->type()->isSubtypeOf(*c10::TensorType::get()) &&
         std::none_of(arguments.begin(), arguments.end(), [](const c10::Argument& argument) {
           return argument.name().find("indices") != std::string::npos;
         });
}

// batch_norm is a special case of LibTorch's own analysis and has a schema all the same.
bool is_declared(c10::Symbol kind, c10::AliasAnalysisKind analysis) {
  return analysis != c10::AliasAnalysisKind::CONSERVATIVE &&
         (analysis != c10::AliasAnalysisKind::INTERNAL_SPECIAL_CASE || kind.is_aten());
}

}  // namespace

bool may_hold_memory(const c10::TypePtr& type) {
  switch (type->kind()) {
    case c10::TypeKind::TensorType:
    case c10::TypeKind::ClassType:
    case c10::TypeKind::InterfaceType:
    case c10::TypeKind::AnyType:
    case c10::TypeKind::AnyListType:
    case c10::TypeKind::AnyTupleType:
    case c10::TypeKind::AnyClassType:
      return true;
    default: {
      const auto contained = type->containedTypes();
      return std::any_of(contained.begin(), contained.end(), may_hold_memory);
    }
  }
}

Effects effects_of(const jit::Node* node) {
  Effects effects;
  const auto* op = node->maybeOperator();
  if (op == nullptr || !is_declared(node->kind(), op->aliasAnalysisKind())) {
    effects.written = node->kind().is_prim() ? std::vector<std::size_t>{} : memory_inputs(node);
    effects.shared.assign(node->outputs().size(), memory_inputs(node));
    effects.reads_values = reads_values(node->kind());
    return effects;
  }
  const auto& schema = op->schema();
  for (std::size_t i = 0; i < node->inputs().size(); ++i) {
    const auto* given = alias_info(schema.arguments(), i);
    if (given != nullptr && is_write(*given)) {
      effects.written.push_back(i);
    }
  }
  for (std::size_t i = 0; i < node->outputs().size(); ++i) {
    effects.shared.push_back(shared_by_schema(node, schema, i));
  }
  effects.reads_values = reads_values(node->kind()) && !takes_out(node, schema);
  effects.cuts = cuts(node, schema);
  return effects;
}

}  // namespace actswap
