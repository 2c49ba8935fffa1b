#include <actswap/graph/walk.h>

#include <torch/csrc/jit/api/function_impl.h>

#include <algorithm>
#include <ranges>
#include <unordered_map>

namespace actswap {

namespace jit = torch::jit;

namespace {

void collect(const jit::Module& module, const std::string& path,
             std::unordered_map<const c10::ivalue::Object*, std::size_t>& known,
             std::vector<ModuleEntry>& entries) {
  const auto* object = module._ivalue().get();
  if (const auto found = known.find(object); found != known.end()) {
    entries[found->second].aliases.push_back(path);  // and those below it get theirs
  } else {
    known.emplace(object, entries.size());
    entries.push_back({module, path, {}});
  }
  for (const auto& child : module.named_children()) {
    collect(child.value, path.empty() ? child.name : path + "." + child.name, known, entries);
  }
}

}  // namespace

std::vector<ModuleEntry> distinct_modules(const jit::Module& root) {
  std::vector<ModuleEntry> entries;
  std::unordered_map<const c10::ivalue::Object*, std::size_t> known;
  collect(root, "", known, entries);
  return entries;
}

void for_each_node(jit::Block* block, const std::function<void(jit::Node*)>& visit) {
  for (auto it = block->nodes().begin(); it != block->nodes().end();) {
    jit::Node* node = *it;
    ++it;  // before the visit, which may destroy the node
    for (jit::Block* inner : node->blocks()) {
      for_each_node(inner, visit);
    }
    visit(node);
  }
}

std::vector<jit::Function*> user_methods(const c10::ClassTypePtr& type) {
  std::vector<jit::Function*> methods;
  for (jit::Function* method : type->methods()) {
    if (!method->name().starts_with("__") && jit::tryToGraphFunction(*method) != nullptr) {
      methods.push_back(method);
    }
  }
  return methods;
}

std::vector<c10::ClassTypePtr> distinct_types(const std::vector<ModuleEntry>& modules) {
  std::vector<c10::ClassTypePtr> types;
  for (const auto& entry : modules) {
    const auto type = entry.module.type();
    if (std::find(types.begin(), types.end(), type) == types.end()) {
      types.push_back(type);
    }
  }
  return types;
}

c10::ivalue::Object* receiver_of(const jit::Node* call_method, c10::ivalue::Object* self) {
  std::vector<std::string> names;
  const jit::Value* value = call_method->input(0);
  const jit::Value* root = call_method->owningGraph()->inputs().at(0);
  while (value != root) {
    const jit::Node* node = value->node();
    if (node->kind() != c10::prim::GetAttr) {
      return nullptr;
    }
    names.push_back(node->s(c10::attr::name));
    value = node->input(0);
  }
  for (const auto& name : std::views::reverse(names)) {
    const auto attribute = self->getAttr(name);
    if (!attribute.isObject()) {
      return nullptr;
    }
    self = attribute.toObjectRef().type()->is_module() ? attribute.toObject().get() : nullptr;
    if (self == nullptr) {
      return nullptr;
    }
  }
  return self;
}

CallCounts::CallCounts(const std::vector<ModuleEntry>& modules) : modules_(modules) {
  auto* root = modules.front().module._ivalue().get();
  for (const auto* method : user_methods(modules.front().module.type())) {
    call(root, method->name());
  }
}

int CallCounts::of(const c10::ivalue::Object* object, const std::string& method) const {
  const auto found = counts_.find({object, method});
  return found == counts_.end() ? 0 : found->second;
}

void CallCounts::call(c10::ivalue::Object* object, const std::string& method) {
  if (counts_[{object, method}]++ == 0) {
    visit(object, method);
  }
}

void CallCounts::visit(c10::ivalue::Object* object, const std::string& method) {
  auto* function = object->type()->findMethod(method);
  auto* code = function == nullptr ? nullptr : jit::tryToGraphFunction(*function);
  if (code == nullptr) {
    return;
  }
  for_each_node(code->graph()->block(), [&](jit::Node* node) {
    if (node->kind() != c10::prim::CallMethod) {
      return;
    }
    const auto& callee = node->s(c10::attr::name);
    if (auto* receiver = receiver_of(node, object)) {
      call(receiver, callee);
      return;
    }
    // Through an interface: it may be any module with such a method. Each counts as called once.
    for (const auto& entry : modules_) {
      auto* candidate = entry.module._ivalue().get();
      if (candidate->type()->findMethod(callee) != nullptr && of(candidate, callee) == 0) {
        call(candidate, callee);
      }
    }
  });
}

}  // namespace actswap
