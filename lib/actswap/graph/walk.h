// Walking over a model: its distinct module objects, their code, and who calls whom.
#pragma once

#include <actswap/graph/model.h>

#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace actswap {

/// One module object; a tree may reach it by several paths.
struct ModuleEntry {
  torch::jit::Module module;
  std::string path;                  ///< the first by which it is reached; empty: the root
  std::vector<std::string> aliases;  ///< the others
};

/// Every distinct module object, the root first, in the order of the tree.
std::vector<ModuleEntry> distinct_modules(const torch::jit::Module& root);

/// Calls `visit` for every node of the graph, those of nested blocks included, in program order.
/// The visited node may be destroyed by the visitor.
void for_each_node(torch::jit::Block* block, const std::function<void(torch::jit::Node*)>& visit);

/// The methods of a class that are code of the user's: all but __getstate__ and the like.
std::vector<torch::jit::Function*> user_methods(const c10::ClassTypePtr& type);

/// Distinct class types of the modules, in order of first appearance.
std::vector<c10::ClassTypePtr> distinct_types(const std::vector<ModuleEntry>& modules);

/// The module object that a CallMethod is made on, where it is a chain of attributes from self;
/// nullptr otherwise (an interface, an argument).
c10::ivalue::Object* receiver_of(const torch::jit::Node* call_method, c10::ivalue::Object* self);

/// How often each method of each module object is called by the code that the root's methods reach.
class CallCounts {
 public:
  explicit CallCounts(const std::vector<ModuleEntry>& modules);
  int of(const c10::ivalue::Object* object, const std::string& method) const;

 private:
  void visit(c10::ivalue::Object* object, const std::string& method);
  void call(c10::ivalue::Object* object, const std::string& method);

  const std::vector<ModuleEntry>& modules_;
  std::map<std::pair<const c10::ivalue::Object*, std::string>, int> counts_;
};

}  // namespace actswap
