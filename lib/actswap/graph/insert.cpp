#include <actswap/base/error.h>
#include <actswap/graph/class_names.h>
#include <actswap/graph/emit.h>
#include <actswap/graph/insert.h>
#include <actswap/graph/normalise.h>
#include <actswap/graph/reload.h>
#include <actswap/graph/scan.h>
#include <actswap/graph/specialise.h>

#include <torch/csrc/jit/api/function_impl.h>

#include <algorithm>
#include <set>
#include <sstream>

namespace actswap {

namespace jit = torch::jit;

namespace {

using Targets = std::map<std::string, std::optional<ActivationSpec>>;  // by site id

std::optional<ActivationSpec> target_of(const Site& site, const Targets& targets) {
  const auto found = targets.find(site.id);
  return found == targets.end() ? std::nullopt : found->second;
}

// The objects of a class share code; this label tells apart those that will differ.
ObjectLabels label_objects(const std::vector<CodeSite>& found, const Targets& targets) {
  ObjectLabels labels;
  for (const auto& code : found) {
    for (std::size_t i = 0; i < code.sites.size(); ++i) {
      const auto& site = code.sites[i];
      const auto target = target_of(site, targets);
      labels[code.modules[i]._ivalue().get()] += site.method + "/" + std::to_string(site.ordinal) +
                                                 "=" + (target ? target->to_string() : "") + ";";
    }
  }
  return labels;
}

// An activation module whose every use was inlined into its callers keeps an own forward that
// nothing calls. It follows its callers, so that the export holds no expensive function.
std::optional<ActivationSpec> target_of_uncalled(const CodeSite& code, const Plan& plan) {
  for (const auto& planned : plan.sites) {
    if (planned.site.activation == code.match.activation && planned.target) {
      return planned.target;
    }
  }
  return std::nullopt;
}

// A frozen module has no mode: it is as in eval mode.
bool in_train_mode(const jit::Module& module) {
  return module.hasattr("training") && module.is_training();
}

// Names of attributes that a class does not have yet.
class BlendNames {
 public:
  std::string unused(const c10::ClassTypePtr& type) {
    int& number = next_[type];
    std::string name;
    do {
      name = "actswap_blend_" + std::to_string(number++);
    } while (type->hasAttribute(name));
    return name;
  }

 private:
  std::map<c10::ClassTypePtr, int> next_;  // so that the search does not begin at 0 for each site
};

jit::Value* call_blend(const CodeSite& code, jit::Value* input, const std::string& name) {
  auto& graph = *code.match.node->owningGraph();
  const jit::WithInsertPoint guard(code.match.node);
  jit::Value* blend =
      graph.insertGetAttr(self_in(*jit::toGraphFunction(*code.method).graph(), &graph), name);
  jit::Node* call = graph.create(c10::prim::CallMethod, {blend, input});
  call->s_(c10::attr::name, "forward");
  return graph.insertNode(call)->output();
}

struct BlendEnd {
  ActivationSpec target;
  bool in_place;
};

void collapse_call(jit::Node* call, const BlendEnd& end) {
  jit::Node* get_blend = call->input(0)->node();
  const auto emit = end.in_place ? emit_activation_in_place : emit_activation;
  call->output()->replaceAllUsesWith(emit(end.target, call->input(1), call));
  call->destroy();
  if (!get_blend->hasUses()) {
    get_blend->destroy();
  }
}

// What an activation becomes: a call of a blend, or the target if nothing calls its module.
struct Change {
  const CodeSite* code;
  ActivationSpec target;
  std::string blend;  // the attribute; empty for the target itself
};

void apply(const Change& change) {
  const auto& match = change.code->match;
  replace_match(match, change.blend.empty()
                           ? emit_activation(change.target, match.input, match.node)
                           : call_blend(*change.code, match.input, change.blend));
}

// An activation that stays keeps parts of its own, where one of them is an activation that changes:
// in x * g + g, with g = sigmoid(x), the gate may be swapped and the silu not.
void keep_whole(const std::vector<CodeSite>& found, const std::vector<Change>& changes) {
  std::set<const jit::Node*> changed;
  for (const auto& change : changes) {
    changed.insert(change.code->match.node);
  }
  for (const auto& code : found) {
    const auto& parts = code.match.parts;
    if (!changed.contains(code.match.node) &&
        std::any_of(parts.begin(), parts.end(),
                    [&](const jit::Node* part) { return changed.contains(part); })) {
      own_parts(code.match);
    }
  }
}

// ReLU keeps its output for its gradient. If something writes over an activation's output, it might
// be the next activation.
bool none_is_written(const std::vector<CodeSite>& found) {
  return std::none_of(found.begin(), found.end(),
                      [](const CodeSite& code) { return code.output_is_written; });
}

constexpr char kSetBlendName[] = "set_blend";

// getattr(getattr(self, "stem"), "2"): names of modules need not be identifiers.
std::string expression_of(const std::string& path) {
  std::string expression = "self";
  std::istringstream names(path);
  for (std::string name; std::getline(names, name, '.');) {
    expression.insert(0, "getattr(").append(", \"").append(name).append("\")");
  }
  return expression;
}

// If an attribute is declared as a module interface, code sees only what the interface has.
bool is_seen_by_code(const jit::Module& root, const std::string& path) {
  jit::Module module = root;
  std::istringstream names(path);
  for (std::string name; std::getline(names, name, '.');) {
    if (module.type()->getAttribute(name)->kind() != c10::TypeKind::ClassType) {
      return false;
    }
    module = module.attr(name).toModule();
  }
  return true;
}

// One call that moves all of them, for a training loop that does not know this library. A blend
// behind an interface gets a second name, at the root.
void define_set_blend(jit::Module root, const std::map<std::string, std::string>& paths,
                      BlendNames& names) {
  if (paths.empty() || has_own_set_blend(root)) {
    return;
  }
  std::set<std::string> distinct;  // one blend may be the site of two methods
  for (const auto& [site, path] : paths) {
    distinct.insert(path);
  }
  std::string source = "def set_blend(self, t: float) -> None:\n";
  for (const auto& path : distinct) {
    std::string name = path;
    if (!is_seen_by_code(root, path)) {
      name = names.unused(root.type());
      root.register_module(name, module_at(root, path));
    }
    source += "    " + expression_of(name) + ".set_blend(t)\n";
  }
  root.define(source);
}

bool moves_blends(jit::Function& method) {
  bool found = false;
  for_each_node(jit::toGraphFunction(method).graph()->block(), [&](jit::Node* node) {
    const auto receiver = node->kind() == c10::prim::CallMethod
                              ? node->input(0)->type()->cast<c10::ClassType>()
                              : nullptr;
    found = found || (receiver != nullptr && is_blend(receiver) &&
                      node->s(c10::attr::name) == kSetBlendName);
  });
  return found;
}

// Of classes whose blends all go to one function. A trace has a method, and so a blend, for each
// call of a module.
Becomes targets_of_classes(const jit::Module& root) {
  Becomes targets;
  std::set<c10::ClassTypePtr> with_several;
  const auto modules = distinct_modules(root);
  for (const auto& [type, objects] : objects_by_class(modules)) {
    for (const auto& child : objects.front()->module.named_children()) {
      if (!is_blend(child.value.type())) {
        continue;
      }
      const auto target = blend_target(child.value);
      if (const auto known = targets.emplace(type, target).first; !(known->second == target)) {
        with_several.insert(type);
      }
    }
  }
  for (const auto& type : with_several) {
    targets.erase(type);
  }
  return targets;
}

// All objects of a class lose the slot before the class does: they find it by the class.
void remove_child(const c10::ClassTypePtr& type, const std::string& name,
                  const std::vector<const ModuleEntry*>& objects) {
  for (const auto* object : objects) {
    object->module._ivalue()->unsafeRemoveAttr(name);
  }
  type->unsafeRemoveAttribute(name);
}

}  // namespace

Insertion insert_blends(const jit::Module& given, const Plan& plan, BlendCode blend_code) {
  const auto root = normalise(given);
  Targets targets;
  for (const auto& planned : plan.sites) {
    targets.emplace(planned.site.id, planned.target);
  }
  Insertion result;
  result.root = specialise(root, label_objects(scan(root), targets));
  const auto modules = distinct_modules(result.root);
  const auto types = distinct_types(modules);
  const auto objects = objects_by_class(modules);
  BlendFactory factory(result.root._ivalue()->compilation_unit(), blend_code);
  const auto found = scan(result.root);
  const bool may_write = none_is_written(found);
  BlendNames names;
  std::vector<Change> changes;
  Becomes uncalled;
  for (const auto& code : found) {
    if (code.sites.empty()) {
      const auto target = target_of_uncalled(code, plan);
      if (target && code.match.obstacle.empty()) {
        changes.push_back({&code, *target, ""});
        uncalled.emplace(code.type, *target);
      }
      continue;
    }
    const auto target = target_of(code.sites.front(), targets);
    if (!target) {
      continue;
    }
    const auto name = names.unused(code.type);
    for (const auto* object : objects.at(code.type)) {
      auto blend = factory.make(code.match.activation, *target, in_train_mode(object->module),
                                {code.output_is_written, may_write && code.match.in_place});
      if (!code.type->hasAttribute(name)) {
        code.type->addAttribute(name, blend.type());
      }
      object->module._ivalue()->setAttr(name, blend._ivalue());
    }
    for (const auto& site : code.sites) {
      result.paths.emplace(site.id, site.module.empty() ? name : site.module + "." + name);
    }
    changes.push_back({&code, *target, name});
  }
  keep_whole(found, changes);
  // Changes the readers of an activation, which come after it, first, so that each finds its graph
  // as it was scanned. A part that two of them share goes with the last one.
  std::for_each(changes.rbegin(), changes.rend(), apply);
  for (const auto& planned : plan.sites) {
    if (planned.target && !result.paths.contains(planned.site.id)) {
      throw UsageError("The plan's site '" + planned.site.id + "' is not in this model");
    }
  }
  result.root = name_activation_modules(result.root, uncalled);
  define_set_blend(result.root, result.paths, names);
  return result;
}

jit::Module collapsed(const jit::Module& root) {
  const auto edited = recompile(root);
  const auto becomes = targets_of_classes(edited);
  collapse_blends(edited);
  return recompile(name_activation_modules(edited, becomes));
}

std::size_t collapse_blends(const jit::Module& root) {
  const auto modules = distinct_modules(root);
  std::map<c10::ClassTypePtr, BlendEnd> ends;
  for (const auto& entry : modules) {
    if (is_blend(entry.module.type())) {
      ends.emplace(entry.module.type(),
                   BlendEnd{blend_target(entry.module), was_in_place(entry.module)});
    }
  }
  const auto types = distinct_types(modules);
  const auto root_type = root.type();
  if (auto* method = root_type->findMethod(kSetBlendName);
      method != nullptr && !is_blend(root_type) && moves_blends(*method)) {
    root_type->unsafeRemoveMethod(kSetBlendName);
  }
  for (const auto& type : types) {
    for (auto* method : user_methods(type)) {
      for_each_node(jit::toGraphFunction(*method).graph()->block(), [&](jit::Node* node) {
        if (node->kind() != c10::prim::CallMethod) {
          return;
        }
        const auto end = ends.find(node->input(0)->type()->cast<c10::ClassType>());
        if (end != ends.end()) {
          collapse_call(node, end->second);
        }
      });
    }
  }
  std::size_t removed = 0;
  for (const auto& [type, objects] : objects_by_class(modules)) {
    std::vector<std::string> names;
    for (std::size_t i = 0; i < type->numAttributes(); ++i) {
      if (ends.contains(type->getAttribute(i)->cast<c10::ClassType>())) {
        names.push_back(type->getAttributeName(i));
      }
    }
    for (const auto& name : names) {
      remove_child(type, name, objects);
      ++removed;
    }
  }
  return removed;
}

}  // namespace actswap
