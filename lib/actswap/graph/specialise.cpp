#include <actswap/graph/specialise.h>
#include <actswap/graph/walk.h>

#include <torch/csrc/jit/api/function_impl.h>

#include <algorithm>
#include <set>
#include <utility>
#include <vector>

namespace actswap {

namespace jit = torch::jit;

namespace {

using ObjectPtr = c10::intrusive_ptr<c10::ivalue::Object>;

jit::Function* clone_function(jit::CompilationUnit& unit, jit::GraphFunction& method,
                              const c10::ClassTypePtr& type) {
  const auto graph = method.graph()->copy();
  graph->inputs().at(0)->setType(type);
  for_each_node(graph->block(), [](jit::Node* node) {
    const auto forked = forked_graph(node);
    for (std::size_t i = 0; forked != nullptr && i < node->inputs().size(); ++i) {
      forked->inputs().at(i)->setType(node->input(i)->type());
    }
    if (node->kind() != c10::prim::GetAttr) {
      return;
    }
    const auto owner = node->input(0)->type()->cast<c10::ClassType>();
    const auto attribute =
        owner == nullptr ? nullptr : owner->findAttribute(node->s(c10::attr::name));
    if (attribute != nullptr && attribute->kind() == c10::TypeKind::ClassType) {
      node->output()->setType(attribute);
    }
  });
  auto* function =
      unit.create_function(c10::QualifiedName(type->name().value(), method.name()), graph);
  // Names and defaults of the arguments stay.
  const auto& schema = method.getSchema();
  auto arguments = schema.arguments();
  arguments.at(0) = arguments.at(0).cloneWithType(type);
  function->setSchema(schema.cloneWithArguments(std::move(arguments)));
  return function;
}

class Specialiser {
 public:
  Specialiser(const jit::Module& root, const ObjectLabels& labels)
      : unit_(root._ivalue()->compilation_unit()), labels_(labels) {}

  ObjectPtr copy(const ObjectPtr& object) {
    const auto known = copies_.find(object.get());
    if (known != copies_.end()) {
      return known->second;
    }
    const auto type = object->type();
    std::vector<c10::IValue> slots;
    std::vector<c10::TypePtr> types;
    std::string signature = label(object.get());
    for (std::size_t i = 0; i < type->numAttributes(); ++i) {
      slots.push_back(object->getSlot(i));
      types.push_back(type->getAttribute(i));
      if (slots.back().isModule()) {
        slots.back() = copy(slots.back().toObject());
        if (types.back()->kind() == c10::TypeKind::ClassType) {  // not an interface
          types.back() = slots.back().toObjectRef().type();
          signature += "\n" + types.back()->repr_str();
        }
      }
    }
    const auto made = c10::ivalue::Object::create(
        c10::StrongTypePtr(unit_, class_for(type, signature, types)), slots.size());
    for (std::size_t i = 0; i < slots.size(); ++i) {
      made->setSlot(i, slots[i]);
    }
    copies_.emplace(object.get(), made);
    return made;
  }

 private:
  std::string label(const c10::ivalue::Object* object) const {
    const auto found = labels_.find(object);
    return found == labels_.end() ? "" : found->second;
  }

  // The first kind of object keeps the class, if the classes of its submodules stay too.
  c10::ClassTypePtr class_for(const c10::ClassTypePtr& type, const std::string& signature,
                              const std::vector<c10::TypePtr>& types) {
    const auto key = std::make_pair(type, signature);
    const auto known = classes_.find(key);
    if (known != classes_.end()) {
      return known->second;
    }
    bool unchanged = true;
    for (std::size_t i = 0; i < types.size(); ++i) {
      unchanged = unchanged && *types[i] == *type->getAttribute(i);
    }
    const bool keeps = unchanged && kept_.insert(type).second;
    const auto made = keeps ? type : clone_class(unit_, type, types, type->name().value());
    classes_.emplace(key, made);
    return made;
  }

  std::shared_ptr<jit::CompilationUnit> unit_;
  const ObjectLabels& labels_;
  std::map<const c10::ivalue::Object*, ObjectPtr> copies_;
  std::map<std::pair<c10::ClassTypePtr, std::string>, c10::ClassTypePtr> classes_;
  std::set<c10::ClassTypePtr> kept_;
};

bool splits_a_class(const jit::Module& root, const ObjectLabels& labels) {
  std::map<c10::ClassTypePtr, std::set<std::string>> labels_of;
  for (const auto& entry : distinct_modules(root)) {
    const auto found = labels.find(entry.module._ivalue().get());
    labels_of[entry.module.type()].insert(found == labels.end() ? "" : found->second);
  }
  return std::any_of(labels_of.begin(), labels_of.end(),
                     [](const auto& entry) { return entry.second.size() > 1; });
}

}  // namespace

c10::ClassTypePtr clone_class(const std::shared_ptr<jit::CompilationUnit>& unit,
                              const c10::ClassTypePtr& type, const std::vector<c10::TypePtr>& types,
                              const c10::QualifiedName& name) {
  const auto clone = c10::ClassType::create(unit->mangle(name), unit, true);
  for (std::size_t i = 0; i < types.size(); ++i) {
    clone->addAttribute(type->getAttributeName(i), types[i], type->is_parameter(i),
                        type->is_buffer(i));
  }
  for (std::size_t i = 0; i < type->numConstants(); ++i) {
    clone->addConstant(type->getConstantName(i), type->getConstant(i));
  }
  unit->register_type(clone);
  for (jit::Function* method : type->methods()) {
    if (auto* code = jit::tryToGraphFunction(*method)) {
      clone->addMethod(clone_function(*unit, *code, clone));
    }
  }
  for (jit::Function* hook : type->getForwardPreHooks()) {
    clone->addForwardPreHook(clone_function(*unit, jit::toGraphFunction(*hook), clone));
  }
  for (jit::Function* hook : type->getForwardHooks()) {
    clone->addForwardHook(clone_function(*unit, jit::toGraphFunction(*hook), clone));
  }
  return clone;
}

jit::Module specialise(const jit::Module& root, const ObjectLabels& labels) {
  if (!splits_a_class(root, labels)) {
    return root;
  }
  return jit::Module(Specialiser(root, labels).copy(root._ivalue()));
}

}  // namespace actswap
