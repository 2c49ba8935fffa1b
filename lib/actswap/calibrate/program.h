// The blended model and its original as one list of nodes that can be run in pieces.
#pragma once

#include <actswap/graph/input_layout.h>

#include <torch/csrc/jit/ir/ir.h>
#include <torch/csrc/jit/runtime/interpreter.h>
#include <torch/script.h>

#include <cstddef>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <tuple>
#include <unordered_map>
#include <utility>
#include <vector>

namespace actswap {

/// Which of the two models: they have the same code, and modules of their own.
enum class Which {
  fitted,    ///< the one that is being changed
  original,  ///< a copy whose blends stand at 0 and whose tensors stay as they are
};

/// A value as it is before the node at a position runs: operators in place may change it later.
struct Moment {
  const torch::jit::Value* value = nullptr;
  std::size_t position = 0;
  auto operator<=>(const Moment&) const = default;
};

/// The flat forward of a blended module (see flatten). A position is the place of a node among
/// those of the outermost block: 0 is before the first.
class Program {
 public:
  using Batches = std::vector<std::vector<torch::Tensor>>;

  /// The original is a copy of the module as it is now.
  /// @param batches samples of its inputs: it will run only on inputs that take the same branches;
  ///   if empty, blends and layers in branches stay there
  /// @throws UsageError where the module does not accept them
  explicit Program(const torch::jit::Module& blended, const Batches& batches = {});
  /// @param original blended by the same plan; its blends stay where they are. Sizes of tensors may
  ///   differ, and so may numbers in the code that count them and the way it computes these.
  /// @param batches as above, for both
  /// @throws UsageError if its code differs otherwise
  Program(const torch::jit::Module& blended, const torch::jit::Module& original,
          const Batches& batches = {});

  /// Whether it inlined branches that other inputs may not take.
  bool is_for_these_inputs() const { return is_for_these_inputs_; }

  /// The fitted model's graph; all values and nodes in this interface belong to it.
  torch::jit::Graph& graph() { return *sides_[0].graph; }
  const torch::jit::Graph& graph() const { return *sides_[0].graph; }
  const torch::jit::Module& module() const { return sides_[0].module; }

  /// The position of the node, or of the outermost node that contains it.
  std::size_t position(const torch::jit::Node* node) const;

  /// The values from nodes before this position that later nodes read or the model returns: all
  /// that a run needs to continue here. Constants and reads of attributes are not among them; the
  /// run makes these anew.
  std::vector<const torch::jit::Value*> alive(std::size_t position) const;

  /// The values of alive(0): the inputs, and forward's own defaults for the rest.
  /// @throws UsageError if the model has another number of inputs.
  std::vector<c10::IValue> beginning(const std::vector<torch::Tensor>& inputs) const;

  /// Whether its code sets an attribute of this name, in whatever module.
  bool sets(const std::string& attribute) const { return set_attributes_.contains(attribute); }

  /// Whether its code takes gradients, so that a run must start at the beginning: started elsewhere
  /// it would not know what the values alive there depend on.
  bool takes_gradients() const { return takes_gradients_; }

  /// Runs from a position to the last of the moments, with gradients if the caller has them on.
  /// @param alive the values of alive(from). They stay as they are.
  /// @return one value for each moment, which later writes in place do not change; they may share
  ///   memory with each other and with those of `alive`
  std::vector<c10::IValue> run(Which model, std::size_t from, const std::vector<c10::IValue>& alive,
                               const std::vector<Moment>& moments);

 private:
  struct Piece {
    std::unique_ptr<torch::jit::Code> code;
    bool writes;  // something, in place
  };

  struct Side {
    Side(torch::jit::Module blended, std::shared_ptr<torch::jit::Graph> flat);

    torch::jit::Module module;
    std::shared_ptr<torch::jit::Graph> graph;
    std::vector<torch::jit::Node*> nodes;
  };

  struct Flat {
    std::shared_ptr<torch::jit::Graph> graph;
    bool is_for_these_inputs;
  };

  Program(const torch::jit::Module& blended, const torch::jit::Module& copy, const Flat& flat);
  Program(const torch::jit::Module& blended, const Flat& flat_blended,
          const torch::jit::Module& original, const Flat& flat_original);
  static Flat flat(const torch::jit::Module& blended, const Batches& batches);
  void set_up();
  void pair_up();
  bool pair_nodes();
  bool is_free(const torch::jit::Node* node) const;
  bool is_made_anew(const torch::jit::Node* node) const;
  bool is_used_from(const torch::jit::Value* value, std::size_t position) const;
  torch::jit::Value* on_side_of(Which model, const torch::jit::Value* value) const;
  Piece piece(Which model, std::size_t from, const std::vector<Moment>& moments) const;

  Side sides_[2];
  InputLayout layout_{sides_[0].module};
  std::unordered_map<const torch::jit::Node*, std::size_t> positions_;          // of both sides
  std::unordered_map<const torch::jit::Value*, torch::jit::Value*> originals_;  // of the fitted
  std::set<std::string> set_attributes_;  // names of attributes that its code sets, in any module
  bool makes_numbers_anew_ = false;       // if the two sides compute sizes in different ways
  bool takes_gradients_ = false;
  bool is_for_these_inputs_ = false;
  std::map<std::tuple<Which, std::size_t, std::vector<Moment>>, Piece> pieces_;
};

}  // namespace actswap
