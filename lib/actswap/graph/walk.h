// Walking over a model: its distinct module objects, their code, and who calls whom.
#pragma once

#include <actswap/graph/model.h>

#include <torch/csrc/jit/api/function_impl.h>

#include <functional>
#include <map>
#include <memory>
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

/// The submodule at a path ("layer1.0.conv"); empty: the root.
torch::jit::Module module_at(const torch::jit::Module& root, const std::string& path);

/// Calls `visit` for every node of the block, in program order, including those of nested blocks,
/// which come before the node that holds them, and those that torch.jit.fork runs, which come after
/// it and are in a graph of their own. The visitor may destroy the visited node.
void for_each_node(torch::jit::Block* block, const std::function<void(torch::jit::Node*)>& visit);

/// Calls `visit` for every constant in the code of the modules.
void for_each_constant(const torch::jit::Module& root,
                       const std::function<void(const c10::IValue&)>& visit);

/// The graph that a node of torch.jit.fork runs; nullptr for another node.
std::shared_ptr<torch::jit::Graph> forked_graph(const torch::jit::Node* node);

/// The value that is self in `where`: in the graph of a method itself its first input, in a graph
/// that it forks one that is handed over, if need be by a new input.
torch::jit::Value* self_in(torch::jit::Graph& method, const torch::jit::Graph* where);

/// The user's code in a class: its methods except __getstate__ and the like, and its forward hooks.
std::vector<torch::jit::Function*> user_methods(const c10::ClassTypePtr& type);

/// Whether objects of the class are saved and loaded by its own __getstate__ and __setstate__: it
/// can be given no attributes.
bool saves_itself(const c10::ClassTypePtr& type);

/// The objects of each class, in the order of the modules.
using ObjectsByClass = std::map<c10::ClassTypePtr, std::vector<const ModuleEntry*>>;
ObjectsByClass objects_by_class(const std::vector<ModuleEntry>& modules);

/// Distinct class types of the modules, in order of first appearance.
std::vector<c10::ClassTypePtr> distinct_types(const std::vector<ModuleEntry>& modules);

/// The code that a call of a function or of a method runs; nullptr where it is not known (an
/// interface), and for another node.
torch::jit::GraphFunction* callee_of(const torch::jit::Node* call);

/// Whether the condition holds for a node of any code that the modules may run: the user's methods
/// and hooks, and what they call.
bool any_node(const torch::jit::Module& root,
              const std::function<bool(const torch::jit::Node*)>& condition);

/// Which module object each value of a method's code is, where self is the given one.
class Bindings {
 public:
  Bindings(c10::ivalue::Object* self, torch::jit::Graph& method);
  /// The object of a value that is a chain of attributes from self, passed to a fork or not;
  /// nullptr for others (an interface, an argument).
  c10::ivalue::Object* object_of(const torch::jit::Value* value) const;

 private:
  void bind_forks(torch::jit::Block* block);
  std::map<const torch::jit::Value*, c10::ivalue::Object*> inputs_;
};

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
