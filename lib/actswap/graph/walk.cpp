#include <actswap/graph/walk.h>

#include <torch/csrc/jit/api/function_impl.h>
#include <torch/csrc/jit/ir/constants.h>

#include <algorithm>
#include <sstream>
#include <unordered_map>
#include <unordered_set>

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

jit::Module module_at(const jit::Module& root, const std::string& path) {
  jit::Module module = root;
  std::istringstream names(path);
  for (std::string name; std::getline(names, name, '.');) {
    module = module.attr(name).toModule();
  }
  return module;
}

void for_each_node(jit::Block* block, const std::function<void(jit::Node*)>& visit) {
  for (auto it = block->nodes().begin(); it != block->nodes().end();) {
    jit::Node* node = *it;
    ++it;  // before the visit, which may destroy the node
    for (jit::Block* inner : node->blocks()) {
      for_each_node(inner, visit);
    }
    const auto forked = forked_graph(node);
    visit(node);
    if (forked != nullptr) {
      for_each_node(forked->block(), visit);
    }
  }
}

void for_each_constant(const jit::Module& root,
                       const std::function<void(const c10::IValue&)>& visit) {
  for (const auto& type : distinct_types(distinct_modules(root))) {
    for (auto* method : user_methods(type)) {
      for_each_node(jit::toGraphFunction(*method).graph()->block(), [&](const jit::Node* node) {
        if (node->kind() == c10::prim::Constant && node->outputs().size() == 1) {
          if (const auto constant = jit::toIValue(node->output())) {
            visit(*constant);
          }
        }
      });
    }
  }
}

std::shared_ptr<jit::Graph> forked_graph(const jit::Node* node) {
  return node->kind() == c10::prim::fork && node->hasAttribute(c10::attr::Subgraph)
             ? node->g(c10::attr::Subgraph)
             : nullptr;
}

jit::Value* self_in(jit::Graph& method, const jit::Graph* where) {
  jit::Value* self = method.inputs().at(0);
  if (&method == where) {
    return self;
  }
  jit::Value* handed_over = nullptr;
  for_each_node(method.block(), [&](jit::Node* node) {
    const auto forked = forked_graph(node);
    if (forked.get() != where) {
      return;
    }
    jit::Value* outer = self_in(method, node->owningGraph());
    const auto given = node->inputs();
    const auto known = std::find(given.begin(), given.end(), outer);
    if (known != given.end()) {
      handed_over = forked->inputs().at(known - given.begin());
      return;
    }
    node->addInput(outer);
    handed_over = forked->addInput();
    handed_over->setType(outer->type());
  });
  return handed_over;
}

std::vector<jit::Function*> user_methods(const c10::ClassTypePtr& type) {
  std::vector<jit::Function*> methods;
  for (jit::Function* method : type->methods()) {
    if (!method->name().starts_with("__") && jit::tryToGraphFunction(*method) != nullptr) {
      methods.push_back(method);
    }
  }
  for (const auto* hooks : {&type->getForwardPreHooks(), &type->getForwardHooks()}) {
    methods.insert(methods.end(), hooks->begin(), hooks->end());
  }
  return methods;
}

bool saves_itself(const c10::ClassTypePtr& type) {
  return type->findMethod("__setstate__") != nullptr;
}

ObjectsByClass objects_by_class(const std::vector<ModuleEntry>& modules) {
  ObjectsByClass objects;
  for (const auto& entry : modules) {
    objects[entry.module.type()].push_back(&entry);
  }
  return objects;
}

std::vector<c10::ClassTypePtr> distinct_types(const std::vector<ModuleEntry>& modules) {
  std::vector<c10::ClassTypePtr> types;
  std::unordered_set<const c10::ClassType*> known;
  for (const auto& entry : modules) {
    auto type = entry.module.type();
    if (known.insert(type.get()).second) {
      types.push_back(std::move(type));
    }
  }
  return types;
}

jit::GraphFunction* callee_of(const jit::Node* call) {
  if (call->kind() == c10::prim::CallFunction) {
    const auto type = call->input(0)->type()->cast<c10::FunctionType>();
    return type == nullptr ? nullptr : jit::tryToGraphFunction(*type->function());
  }
  const auto type = call->kind() == c10::prim::CallMethod
                        ? call->input(0)->type()->cast<c10::ClassType>()
                        : nullptr;
  auto* method = type == nullptr ? nullptr : type->findMethod(call->s(c10::attr::name));
  return method == nullptr ? nullptr : jit::tryToGraphFunction(*method);
}

bool any_node(const jit::Module& root, const std::function<bool(const jit::Node*)>& condition) {
  std::vector<jit::Function*> open;
  for (const auto& type : distinct_types(distinct_modules(root))) {
    const auto methods = user_methods(type);
    open.insert(open.end(), methods.begin(), methods.end());
  }
  std::unordered_set<const jit::Graph*> known;
  bool found = false;
  while (!open.empty() && !found) {
    auto* function = jit::tryToGraphFunction(*open.back());
    open.pop_back();
    if (function == nullptr || !known.insert(function->graph().get()).second) {
      continue;
    }
    for_each_node(function->graph()->block(), [&](const jit::Node* node) {
      found = found || condition(node);
      if (auto* callee = callee_of(node)) {
        open.push_back(callee);
      }
    });
  }
  return found;
}

Bindings::Bindings(c10::ivalue::Object* self, jit::Graph& method) {
  inputs_.emplace(method.inputs().at(0), self);
  bind_forks(method.block());
}

void Bindings::bind_forks(jit::Block* block) {
  for (jit::Node* node : block->nodes()) {
    for (jit::Block* inner : node->blocks()) {
      bind_forks(inner);
    }
    const auto forked = forked_graph(node);
    for (std::size_t i = 0; forked != nullptr && i < node->inputs().size(); ++i) {
      if (auto* object = object_of(node->input(i))) {
        inputs_.emplace(forked->inputs().at(i), object);
      }
    }
    if (forked != nullptr) {
      bind_forks(forked->block());
    }
  }
}

c10::ivalue::Object* Bindings::object_of(const jit::Value* value) const {
  const jit::Node* node = value->node();
  if (node->kind() != c10::prim::GetAttr) {
    const auto known = inputs_.find(value);
    return known == inputs_.end() ? nullptr : known->second;
  }
  const auto* owner = object_of(node->input(0));
  if (owner == nullptr) {
    return nullptr;
  }
  const auto attribute = owner->getAttr(node->s(c10::attr::name));
  return attribute.isModule() ? attribute.toObject().get() : nullptr;
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
  const auto type = object->type();
  auto* function = type->findMethod(method) ? type->findMethod(method) : type->findHook(method);
  auto* code = function == nullptr ? nullptr : jit::tryToGraphFunction(*function);
  if (code == nullptr) {
    return;
  }
  const Bindings bindings(object, *code->graph());
  for_each_node(code->graph()->block(), [&](jit::Node* node) {
    if (node->kind() != c10::prim::CallMethod) {
      return;
    }
    const auto& callee = node->s(c10::attr::name);
    if (auto* receiver = bindings.object_of(node->input(0))) {
      call(receiver, callee);
      return;
    }
    // Through an interface: it may be any module that has it. Each counts as called once.
    const auto wanted = node->input(0)->type();
    for (const auto& entry : modules_) {
      auto* candidate = entry.module._ivalue().get();
      if (candidate->type()->isSubtypeOf(*wanted) && of(candidate, callee) == 0) {
        call(candidate, callee);
      }
    }
  });
}

}  // namespace actswap
