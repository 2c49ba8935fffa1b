// Following the memory of tensors through all code that a model's methods run.
#pragma once

#include <actswap/graph/effects.h>
#include <actswap/graph/fixed_containers.h>
#include <actswap/graph/match.h>
#include <actswap/graph/memory.h>
#include <actswap/graph/walk.h>

#include <torch/script.h>

#include <optional>
#include <set>
#include <unordered_map>
#include <utility>
#include <vector>

namespace actswap {

/// One run of an activation's code.
struct Application {
  struct Write {
    Time time;
    Holding memory;
  };
  const Match* match = nullptr;
  const c10::ivalue::Object* self = nullptr;  ///< whose method it is; nullptr: of a bare graph
  Time begin = 0;                             ///< when its first part ran
  Time end = 0;
  std::vector<Write> writes = {};  ///< what it writes in place, by its parts too
  Holding input = {};
  Holding output = {};
  /// In these times other branches ran, which never run together with this one.
  std::vector<std::pair<Time, Time>> elsewhere = {};
};

/// Runs code without values: each value stands for the memory that it may occupy. It follows calls
/// for each object by itself, both branches of a condition unless a constant or FixedContainers
/// decides, every module that a call through an interface may reach, and two rounds of each loop.
///
/// LibTorch's own analysis (AliasDb) takes all tensors that ever are in a list or tuple, all
/// parameters and all inputs for the same memory, which would keep most activations in place.
class Tracer {
 public:
  /// @param modules that a call through an interface may reach
  Tracer(std::vector<ModuleEntry> modules, const std::vector<const Match*>& matches);

  /// A method of an object, or a graph without one, with inputs that share no memory.
  void run(c10::ivalue::Object* self, torch::jit::Graph& graph);

  bool has_run(const torch::jit::Graph& graph) const { return visited_.contains(&graph); }
  /// False if it gave up because too many loops and calls were nested.
  bool is_complete() const { return clock_ < kNodes && memory_.accesses() < kAccesses; }
  const Memory& memory() const { return memory_; }
  const std::vector<Application>& applications() const { return applications_; }

 private:
  static constexpr Time kNodes = 1'000'000;  // seconds
  static constexpr std::size_t kAccesses = 2'000'000;

  // What a value is.
  struct Abstract {
    Holding holding = {};
    std::vector<c10::ivalue::Object*> objects = {};  // modules, of which it is one
    std::vector<Abstract> elements = {};  // of a tuple; a future's value and what it was given
  };
  using Abstracts = std::vector<Abstract>;
  using Binding = std::pair<const torch::jit::Value*, Abstract>;
  struct Frame {
    c10::ivalue::Object* self;
    std::unordered_map<const torch::jit::Value*, Abstract> values = {};
    std::vector<Binding> hidden = {};  // until the end of a block
  };
  struct Branch {  // the branch on inplace of torch.nn.functional
    const torch::jit::Value* input;
    bool in_place;
  };

  static Holding flat(const Abstract& value);
  static Abstract merged(const Abstract& a, const Abstract& b);
  static Abstracts merged(const Abstracts& a, const Abstracts& b);
  static Abstract without(Abstract value, Time from, Time to);
  static Abstracts without(Abstracts values, Time from, Time to);
  Abstract fresh(const torch::jit::Value* value, Memory::Kind kind = Memory::Kind::value);
  /// As a value of this type.
  Abstract of_type(const torch::jit::Value* value, const Holding& holding) const;
  Abstract get(const Frame& frame, const torch::jit::Value* value) const;
  Abstracts get(const Frame& frame, at::ArrayRef<torch::jit::Value*> values) const;
  Holding reach(const Frame& frame, const torch::jit::Value* value) const;
  void set(Frame& frame, at::ArrayRef<torch::jit::Value*> values, const Abstracts& found);
  static void hide(Frame& frame, const torch::jit::Value* value, Abstract by);
  static void unhide(Frame& frame, std::size_t count);

  Abstracts call(c10::ivalue::Object* self, torch::jit::Graph& graph, const Abstracts& inputs);
  Abstracts run_block(Frame& frame, torch::jit::Block* block, const Abstracts& inputs);
  void run_node(Frame& frame, torch::jit::Node* node);
  void run_any(Frame& frame, torch::jit::Node* node);
  std::optional<bool> decided(const Frame& frame, const torch::jit::Value* condition) const;
  void run_if(Frame& frame, torch::jit::Node* node);
  void run_loop(Frame& frame, torch::jit::Node* node);
  void run_method(Frame& frame, torch::jit::Node* node);
  void run_fork(Frame& frame, torch::jit::Node* node);
  void run_wait(Frame& frame, torch::jit::Node* node);
  void run_get_attribute(Frame& frame, torch::jit::Node* node);
  void run_set_attribute(Frame& frame, torch::jit::Node* node);
  void run_container_index(Frame& frame, torch::jit::Node* node);
  void run_unpack(Frame& frame, torch::jit::Node* node);
  void run_operator(Frame& frame, torch::jit::Node* node);
  void run_inplace_branch(Frame& frame, torch::jit::Node* node, const Branch& branch);
  void share_all(Frame& frame, torch::jit::Node* node);
  /// Of several runs one takes place.
  template <typename Run>
  Abstracts run_one_of(std::size_t count, Run run);

  void note_part(const Frame& frame, torch::jit::Node* node);
  void note_application(Frame& frame, const Match& match);
  Holding written_by(const Frame& frame, torch::jit::Node* node);

  const Effects& effects(const torch::jit::Node* node);
  const std::optional<Branch>& inplace_branch(const torch::jit::Node* node);
  Location kept(const c10::ivalue::Object* owner, const std::string& attribute);

  std::vector<ModuleEntry> modules_;
  FixedContainers fixed_;
  Memory memory_;
  Time clock_ = 0;
  std::vector<Application> applications_;
  std::unordered_map<const torch::jit::Node*, std::vector<const Match*>> matches_;
  std::unordered_map<const torch::jit::Node*, Application::Write> parts_;
  std::set<std::pair<const c10::ivalue::Object*, const torch::jit::Graph*>> running_;
  std::set<const torch::jit::Graph*> visited_;
  std::unordered_map<const torch::jit::Node*, Effects> effects_;
  std::unordered_map<const torch::jit::Node*, std::optional<Branch>> branches_;
  std::unordered_map<const torch::jit::Node*, Location> constants_;
  std::map<std::pair<const c10::ivalue::Object*, std::string>, Location> attributes_;
};

}  // namespace actswap
