#include <actswap/graph/class_names.h>
#include <actswap/graph/match.h>
#include <actswap/graph/normalise.h>
#include <actswap/graph/specialise.h>
#include <actswap/graph/walk.h>

#include <torch/csrc/jit/api/function_impl.h>

#include <algorithm>

namespace actswap {

namespace jit = torch::jit;

namespace {

using Classes = std::map<const c10::Type*, c10::ClassTypePtr>;
using Object = c10::ivalue::Object;

c10::QualifiedName class_name(const ActivationSpec& activation) {
  const auto torch_class = activation.torch_class();
  return c10::QualifiedName(torch_class.empty()
                                ? "__torch__.actswap.Activation"
                                : "__torch__.torch.nn.modules.activation." + torch_class);
}

// Of an activation module: one method may have been swapped and another kept.
bool is_all(const c10::ClassTypePtr& type, const ActivationSpec& activation) {
  const auto methods = user_methods(type);
  return std::all_of(methods.begin(), methods.end(), [&](auto* method) {
    return match_all(*jit::toGraphFunction(*method).graph()).front().activation == activation;
  });
}

Classes renamed_classes(const std::vector<ModuleEntry>& modules, const Becomes& becomes) {
  Classes renamed;
  for (const auto& entry : modules) {
    const auto type = entry.module.type();
    const auto found = becomes.find(type);
    if (found == becomes.end() || renamed.contains(type.get()) ||
        !is_activation_module(entry.module) || !is_all(type, found->second)) {
      continue;
    }
    std::vector<c10::TypePtr> attributes;
    attributes.reserve(type->numAttributes());
    for (std::size_t i = 0; i < type->numAttributes(); ++i) {
      attributes.push_back(type->getAttribute(i));
    }
    renamed.emplace(type.get(), clone_class(entry.module._ivalue()->compilation_unit(), type,
                                            attributes, class_name(found->second)));
  }
  return renamed;
}

c10::intrusive_ptr<Object> object_of_class(Object& object, const c10::ClassTypePtr& type) {
  auto made =
      Object::create(c10::StrongTypePtr(object.compilation_unit(), type), object.slots().size());
  for (std::size_t i = 0; i < object.slots().size(); ++i) {
    made->setSlot(i, object.getSlot(i));
  }
  return made;
}

void retype(at::ArrayRef<jit::Value*> values, const Classes& renamed) {
  for (jit::Value* value : values) {
    if (const auto found = renamed.find(value->type().get()); found != renamed.end()) {
      value->setType(found->second);
    }
  }
}

// A trace passes a module that stands at two places to the methods of one of them.
void retype_arguments(jit::GraphFunction& code, const Classes& renamed) {
  retype(code.graph()->inputs(), renamed);
  const auto schema = code.getSchema();
  auto arguments = schema.arguments();
  for (auto& argument : arguments) {
    if (const auto found = renamed.find(argument.type().get()); found != renamed.end()) {
      argument = argument.cloneWithType(found->second);
    }
  }
  code.setSchema(schema.cloneWithArguments(std::move(arguments)));
}

void retype_code(const c10::ClassTypePtr& type, const Classes& renamed) {
  for (auto* method : user_methods(type)) {
    auto& code = jit::toGraphFunction(*method);
    retype_arguments(code, renamed);
    for_each_node(code.graph()->block(), [&](jit::Node* node) {
      retype(node->outputs(), renamed);
      for (jit::Block* block : node->blocks()) {
        retype(block->inputs(), renamed);
      }
      if (const auto forked = forked_graph(node)) {
        retype(forked->inputs(), renamed);
      }
    });
  }
}

}  // namespace

jit::Module name_activation_modules(const jit::Module& root, const Becomes& becomes) {
  const auto modules = distinct_modules(root);
  const auto renamed = renamed_classes(modules, becomes);
  if (renamed.empty()) {
    return root;
  }
  std::map<const Object*, c10::intrusive_ptr<Object>> objects;
  for (const auto& entry : modules) {
    if (const auto found = renamed.find(entry.module.type().get()); found != renamed.end()) {
      auto& object = *entry.module._ivalue();
      objects.emplace(&object, object_of_class(object, found->second));
    }
  }
  for (const auto& type : distinct_types(modules)) {
    for (std::size_t i = 0; i < type->numAttributes(); ++i) {
      if (const auto found = renamed.find(type->getAttribute(i).get()); found != renamed.end()) {
        type->unsafeChangeAttributeType(type->getAttributeName(i), found->second);
      }
    }
    retype_code(type, renamed);
  }
  for (const auto& entry : modules) {
    const auto object = entry.module._ivalue();
    for (std::size_t i = 0; i < object->slots().size(); ++i) {
      const auto slot = object->getSlot(i);
      if (const auto found = slot.isModule() ? objects.find(slot.toObject().get()) : objects.end();
          found != objects.end()) {
        object->setSlot(i, found->second);
      }
    }
  }
  const auto found = objects.find(root._ivalue().get());
  return found == objects.end() ? root : jit::Module(found->second);
}

}  // namespace actswap
