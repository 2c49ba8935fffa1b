#include <actswap/graph/casts.h>
#include <actswap/graph/effects.h>
#include <actswap/graph/walk.h>

#include <torch/csrc/jit/ir/constants.h>

#include <algorithm>
#include <set>
#include <string>

namespace actswap {

namespace jit = torch::jit;

namespace {

const auto kModelType = c10::Symbol::attr("actswap_model_type");

const jit::Value* argument(const jit::Node* node, const std::string& name) {
  const auto* schema = node->maybeSchema();
  const auto index = schema == nullptr ? std::nullopt : schema->argumentIndexWithName(name);
  return index && static_cast<std::size_t>(*index) < node->inputs().size() ? node->input(*index)
                                                                           : nullptr;
}

// x.dtype
const jit::Value* tensor_of_type(const jit::Value* type) {
  const jit::Node* node = type->node();
  return node->kind() == c10::prim::dtype ? node->input(0) : nullptr;
}

Cast cast_to(const jit::Node* node) {
  if (const auto* other = argument(node, "other")) {
    return {.to = Cast::To::value, .value = other};
  }
  const auto* type = argument(node, "dtype");
  if (type == nullptr || type->mustBeNone()) {
    return {.to = Cast::To::same};
  }
  if (const auto* tensor = tensor_of_type(type)) {
    return {.to = Cast::To::value, .value = tensor};
  }
  const auto constant = jit::toIValue(type);
  return constant && constant->isInt()
             ? Cast{.to = Cast::To::type, .type = static_cast<c10::ScalarType>(constant->toInt())}
             : Cast{.to = Cast::To::unknown};
}

// The types of the tensors that a model holds and that its code makes; numbers, which as tensors
// have no dimension, take the type of what they are computed with.
class FloatTypes {
 public:
  void add(const c10::IValue& value) {
    if (value.isTensor() && value.toTensor().defined() && value.toTensor().dim() > 0) {
      add(value.toTensor().scalar_type());
      has_tensors_ = has_tensors_ || value.toTensor().is_floating_point();
    }
  }

  void add_code(jit::Block* block) {
    for_each_node(block, [&](const jit::Node* node) {
      if (node->kind() == c10::prim::Constant && node->outputs().size() == 1) {
        if (const auto constant = jit::toIValue(node->output())) {
          add(*constant);
        }
      }
      if (node->kind() == c10::prim::CallFunction) {
        auto* callee = callee_of(node);
        if (callee != nullptr && called_.insert(callee).second) {
          add_code(callee->graph()->block());
        }
      }
      const auto* type = argument(node, "dtype");
      if (const auto constant = type == nullptr ? std::nullopt : jit::toIValue(type);
          constant && constant->isInt()) {
        add(static_cast<c10::ScalarType>(constant->toInt()));
      }
    });
  }

  std::optional<c10::ScalarType> only() const {
    return has_tensors_ && types_.size() == 1 ? std::optional(*types_.begin()) : std::nullopt;
  }

 private:
  void add(c10::ScalarType type) {
    if (c10::isFloatingType(type) || c10::isComplexType(type)) {
      types_.insert(type);
    }
  }

  std::set<c10::ScalarType> types_;
  bool has_tensors_ = false;
  std::set<const jit::Function*> called_;
};

bool is_same_argument(const jit::Value* a, const jit::Value* b) {
  if (a == b || (a->mustBeNone() && b->mustBeNone())) {
    return true;
  }
  const auto* of_a = tensor_of_type(a);
  if (of_a != nullptr && of_a == tensor_of_type(b)) {
    return true;
  }
  const auto first = jit::toIValue(a);
  const auto second = jit::toIValue(b);
  return first && second &&
         ((first->isInt() && second->isInt() && first->toInt() == second->toInt()) ||
          (first->isBool() && second->isBool() && first->toBool() == second->toBool()) ||
          (first->isDevice() && second->isDevice() && first->toDevice() == second->toDevice()));
}

bool is_same_cast(const jit::Node* a, const jit::Node* b) {
  return a->kind() == b->kind() && a->owningBlock() == b->owningBlock() &&
         std::equal(a->inputs().begin(), a->inputs().end(), b->inputs().begin(), b->inputs().end(),
                    is_same_argument);
}

// By itself or by what is inside of it.
bool writes_anything(const jit::Node* node) {
  return !effects_of(node).written.empty() ||
         std::ranges::any_of(node->blocks(), [](const jit::Block* block) {
           return std::any_of(block->nodes().begin(), block->nodes().end(), writes_anything);
         });
}

// Something in the block between these two nodes writes in place, to whatever memory.
bool is_any_written_between(const jit::Node* first, const jit::Node* last) {
  for (const jit::Node* node = first->next(); node != last; node = node->next()) {
    if (writes_anything(node)) {
      return true;
    }
  }
  return false;
}

bool writes_to(const jit::Use& use) {
  const auto* schema = use.user->maybeSchema();
  if (schema == nullptr || use.offset >= schema->arguments().size()) {
    return false;
  }
  const auto* alias = schema->arguments()[use.offset].alias_info();
  return alias != nullptr && alias->isWrite();
}

}  // namespace

std::optional<Cast> cast_of(const jit::Node* node) {
  static const auto kTo = c10::Symbol::aten("to");
  static const auto kTypeAs = c10::Symbol::aten("type_as");
  static const auto kClone = c10::Symbol::aten("clone");
  static const auto kContiguous = c10::Symbol::aten("contiguous");
  const auto kind = node->kind();
  if (kind == kClone || kind == kContiguous) {
    return Cast{};
  }
  if (kind != kTo && kind != kTypeAs) {
    return std::nullopt;
  }
  return type_option(node);
}

Cast type_option(const jit::Node* node) {
  return node->hasAttribute(kModelType) ? Cast{.to = Cast::To::model} : cast_to(node);
}

void note_casts(const jit::Module& root) {
  const auto modules = distinct_modules(root);
  const auto types = distinct_types(modules);
  FloatTypes found;
  for (const auto& entry : modules) {
    for (const auto& value : entry.module._ivalue()->slots()) {
      found.add(value);
    }
  }
  for (const auto& type : types) {
    for (auto* method : user_methods(type)) {
      found.add_code(jit::toGraphFunction(*method).graph()->block());
    }
  }
  const auto only = found.only();
  if (!only) {
    return;
  }
  for (const auto& type : types) {
    for (auto* method : user_methods(type)) {
      for_each_node(jit::toGraphFunction(*method).graph()->block(), [&](jit::Node* node) {
        const auto cast = cast_to(node);
        if (cast.to == Cast::To::type && cast.type == *only) {
          node->i_(kModelType, 1);
        }
      });
    }
  }
}

jit::Value* first_equal_cast(jit::Value* value) {
  jit::Node* node = value->node();
  if (!cast_of(node)) {
    return value;
  }
  jit::Value* operand = node->input(0);
  for (const auto& use : operand->uses()) {
    if (use.offset == 0 && use.user->isBefore(node) && is_same_cast(use.user, node) &&
        !is_any_written_between(use.user, value->node())) {
      node = use.user;
    }
  }
  return node->output();
}

bool is_written_between(const jit::Value* value, const jit::Node* first, const jit::Node* last,
                        const std::vector<jit::Node*>& but) {
  const auto is_excepted = [&](const jit::Node* writer) {
    for (const jit::Node* node = writer; node != nullptr;
         node = node->owningBlock()->owningNode()) {
      if (node == last || std::find(but.begin(), but.end(), node) != but.end()) {
        return true;
      }
    }
    return false;
  };
  return std::any_of(value->uses().begin(), value->uses().end(), [&](const jit::Use& use) {
    return writes_to(use) && use.user->isAfter(first) && use.user->isBefore(last) &&
           !is_excepted(use.user);
  });
}

}  // namespace actswap
