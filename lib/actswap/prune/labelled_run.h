// Runs the code of a module node by node, with labels on the entries of its tensors.
#pragma once

#include <actswap/prune/labels.h>
#include <actswap/prune/units.h>

#include <torch/csrc/jit/ir/ir.h>
#include <torch/csrc/jit/runtime/interpreter.h>
#include <torch/script.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

namespace actswap {

/// One run of an operator on tensors.
struct OperatorCall {
  torch::jit::Node* node = nullptr;
  std::vector<c10::IValue> inputs;
  std::vector<c10::IValue> outputs;
  /// The labels of each input before the operator ran; a list of tensors has several shapes.
  std::vector<std::vector<LabelledShape>> shapes;

  std::string name() const { return node->kind().toUnqualString(); }
  const LabelledShape& shape(std::size_t input = 0) const { return shapes.at(input).at(0); }
  bool is_tensor(std::size_t input) const {
    return input < inputs.size() && inputs[input].isTensor() && inputs[input].toTensor().defined();
  }
  at::Tensor output(std::size_t i = 0) const { return outputs.at(i).toTensor(); }
  /// The place of the argument of this name; empty if the operator has none.
  std::optional<std::size_t> argument(const std::string& name) const;
};

/// Where a number stands in code.
struct Place {
  std::string object = {};  ///< path of the module
  std::string method = {};
  std::size_t node = 0;
  std::size_t input = 0;
  std::int64_t element = -1;
  auto operator<=>(const Place&) const = default;
};

/// A number in code by which another one is multiplied: the 4 in `batch * 4`.
struct Factor {
  std::optional<Place> place;
  std::set<std::string> functions;  ///< as those of a Count
  std::int64_t number = 1;
};

/// A number in code that must change with the number of entries left in a dimension.
struct Count {
  std::optional<Place> place;
  /// If it has no place: the functions that must be inlined to give it one.
  std::set<std::string> functions;
  std::optional<std::int64_t> number;    ///< what it is in this run, if it is known
  std::shared_ptr<const Factor> factor;  ///< if it is a product: the part that is no size
  bool is_in_computed_list = false;      ///< so that nobody can change it
  bool follows = false;  ///< computed from sizes of the inputs, so it must be right by itself
  at::Tensor array;      ///< labels; undefined: the entries stay
  std::int64_t dim = 0;
  std::int64_t begin = 0;  ///< the entries that are counted
  std::int64_t end = 0;
  std::int64_t stride = 1;  ///< counts every stride-th entry
  /// Computed from sizes that follow from the weights.
  bool is_computed = false;
  /// It is this tensor's size in dimension `size_dim`.
  std::shared_ptr<const LabelledShape> size_of = {};
  std::int64_t size_dim = -1;
};

/// A parameter or buffer.
struct SourceTensor {
  std::string path;
  at::Tensor tensor;
  std::vector<Label> first;  ///< label of the first entry of each dimension; kFixed: of size 1
  std::map<std::int64_t, SliceRole> roles;  ///< by dimension
  bool is_parameter = false;
  std::string unknown = {};  ///< why it stays, if an operator without a rule reads it
  double uses = 0.0;         ///< multiplications for each of its entries; 0: no layer's weight
};

/// The cost of products of two values that goes with a label.
struct ValueCost {
  Label label = kFixed;
  double multiplications = 0.0;
};

class LabelledRun {
 public:
  /// @param module compiled anew; its tensors stay as they are
  explicit LabelledRun(const torch::jit::Module& module);

  /// @throws UsageError where the module does not accept the inputs
  void run(const std::vector<torch::Tensor>& inputs);

  /// Whether numbers that are computed from sizes of the inputs count units.
  bool counts_by_inputs() const;
  /// All numbers that are computed from sizes of the inputs, by place.
  std::map<Place, std::set<std::int64_t>> numbers_by_inputs() const;
  /// Finds out which of these numbers have a factor in the code that counts the units, and which
  /// are the same for all inputs. Neither follows the inputs. Numbers computed from sizes of
  /// channels too do, because they are right by themselves, or a trial finds them wrong.
  /// @param on_others those of runs on inputs of other sizes; empty: the module takes no others
  void settle_counts(const std::map<Place, std::set<std::int64_t>>& on_others);

  // For the rules of operators.

  Labels& labels() { return labels_; }
  const LabelAlgebra& algebra() const { return algebra_; }
  /// Gives a tensor labels. Its sizes are the tensor's own.
  void give(const at::Tensor& tensor, LabelledShape shape);
  /// Gives the outputs labels by running the operator on the labels of its tensors, for an operator
  /// that moves entries about. Its other inputs are those of the call.
  void move(const OperatorCall& call);
  /// Notes a number in code (an input of the call, or an element of one) that counts the entries
  /// from begin to end, every stride-th, in a dimension of a tensor with these labels.
  void count(const OperatorCall& call, std::size_t input, std::int64_t element,
             const LabelledShape& shape, std::int64_t dim, std::int64_t begin, std::int64_t end,
             std::int64_t stride = 1);
  /// Notes a number that counts all entries of a dimension of an output.
  void count_size(const OperatorCall& call, std::size_t input, std::int64_t element,
                  const at::Tensor& output, std::int64_t dim);
  /// Whether a number in code is computed from values or sizes of the inputs.
  bool depends_on_inputs(const OperatorCall& call, std::size_t input, std::int64_t element) const;
  LabelledShape shape_of(const at::Tensor& tensor) const;
  /// Notes that this array of a layer's weight holds the labels of its outputs or inputs.
  void note_role(const at::Tensor& array, SliceRole role);
  void note_uses(const LabelledShape& weight, double uses);
  void note_values(const at::Tensor& array, double multiplications);
  double examples() const { return examples_; }

  // What the run has found.

  const std::vector<SourceTensor>& sources() const { return sources_; }
  std::vector<Count>& counts() { return counts_; }
  std::vector<ValueCost>& value_costs() { return value_costs_; }
  double value_multiplications() const { return value_multiplications_; }
  /// Arrays of tensors that depend on several dimensions, in the order in which they came up.
  std::vector<at::Tensor>& several() { return several_; }

 private:
  struct Cell {
    c10::IValue value;
    bool is_dynamic = false;  // depends on the values or sizes of the inputs
    bool is_sized = false;    // computed from sizes of tensors
    std::shared_ptr<const LabelledShape> sizes_of = {};  // the tensor whose sizes the list holds
    std::int64_t dim = -1;                               // the one whose size a number is
    // The channels from whose number it was computed.
    std::vector<std::pair<std::shared_ptr<const LabelledShape>, std::int64_t>> channels = {};
    bool is_given = false;     // computed from what a caller may choose: arguments, attributes
    bool is_argument = false;  // of forward, itself
    std::shared_ptr<const Factor> factor = {};
    bool is_chosen = false;  // a number that comes from values or from a branch that inputs decide
  };
  struct Frame {
    const Frame* caller = nullptr;
    const torch::jit::Node* call = nullptr;
    std::size_t first_argument = 0;  // the call's input that is the graph's first
    const torch::jit::Graph* graph = nullptr;
    const torch::jit::Graph* method_graph = nullptr;  // the same, but within a fork
    const std::string* object = nullptr;              // null: code that several share
    std::string method = {};
    std::string function = {};  // qualified name, of one that is no method
    std::unordered_map<const torch::jit::Value*, Cell> cells = {};
  };

  void find_sources();
  std::vector<LabelledShape> shapes_in(const c10::IValue& value) const;
  void freeze_all(const c10::IValue& value, const std::string& reason);
  void freeze_objects(const c10::IValue& value, const std::string& reason);

  std::vector<Cell> run_graph(Frame& frame, const std::vector<Cell>& arguments);
  void run_block(Frame& frame, const torch::jit::Block* block);
  void run_node(Frame& frame, torch::jit::Node* node);
  void run_if(Frame& frame, torch::jit::Node* node);
  void run_loop(Frame& frame, torch::jit::Node* node);
  void run_call(Frame& frame, torch::jit::Node* node);
  void run_fork(Frame& frame, torch::jit::Node* node);
  void run_operator(Frame& frame, torch::jit::Node* node);
  static Cell merged_inputs(const Frame& frame, const torch::jit::Node* node);
  void follow(const Frame& frame, const OperatorCall& call, bool has_values, Cell& number);
  void freeze_unknown(const OperatorCall& call);
  static Cell output_cell(const Frame& frame, const OperatorCall& call, std::size_t i,
                          bool has_values, const Cell& number);
  static bool are_two_arguments(const Frame& frame, const torch::jit::Node* node);
  bool follows_rule(const OperatorCall& call);
  void note_sizes(Frame& frame, const OperatorCall& call);
  void note_factor(Frame& frame, const OperatorCall& call);
  bool count_comparison(const Frame& frame, const OperatorCall& call);
  bool tie_equal_sizes(const Cell& a, const Cell& b);
  void freeze_sizes(const Cell& cell, const std::string& reason);
  void freeze_sizes_in_values(const Frame& frame, const OperatorCall& call);
  std::vector<c10::IValue> execute(torch::jit::Node* node, std::vector<c10::IValue> inputs);
  std::optional<std::vector<c10::IValue>> run_other(Frame& frame, const torch::jit::Block* block);
  void tie_alternatives(const c10::IValue& taken, const c10::IValue& other);
  void freeze_captured(Frame& frame, const torch::jit::Block* block, const std::string& reason);
  std::optional<Place> place_of(const Frame& frame, const torch::jit::Node* node, std::size_t input,
                                std::int64_t element);
  static std::set<std::string> functions_around(const Frame& frame);
  const Cell* cell_of(const Frame& frame, const torch::jit::Node* node, std::size_t input,
                      std::int64_t element) const;

  torch::jit::Module module_;
  Labels labels_;
  LabelAlgebra algebra_{labels_};
  std::vector<SourceTensor> sources_;
  std::unordered_map<const c10::TensorImpl*, LabelledShape> shapes_;
  std::vector<c10::weak_intrusive_ptr<c10::TensorImpl>>
      kept_;  // alive, so that no other tensor gets the address of one with labels
  std::unordered_map<const c10::ivalue::Object*, std::string> paths_;
  std::set<std::string> changing_attributes_;  // that the code of some method sets
  std::unordered_map<const torch::jit::Node*, std::unique_ptr<torch::jit::Code>> codes_;
  std::unordered_map<const torch::jit::Graph*,
                     std::unordered_map<const torch::jit::Node*, std::size_t>>
      numbers_;
  const Frame* frame_ = nullptr;   // of the operator that runs
  std::set<std::size_t> counted_;  // its inputs that count entries
  std::vector<Count> counts_;
  std::vector<ValueCost> value_costs_;
  std::vector<at::Tensor> several_;
  double value_multiplications_ = 0.0;
  bool is_other_ = false;  // in a branch that the inputs do not take
  double examples_ = 1.0;
};

/// Why units stay where they meet a value that has none.
inline const std::string kOtherStays = "is combined with values whose channels stay";

/// An operator's argument that is one number or a list of them.
inline std::vector<std::int64_t> one_or_more(const c10::IValue& value) {
  return value.isInt() ? std::vector<std::int64_t>{value.toInt()} : value.toIntVector();
}

/// A number of the code: an int, or the tensor with one whole number that a trace has in its place.
inline std::optional<std::int64_t> whole_number(const c10::IValue& value) {
  if (value.isInt()) {
    return value.toInt();
  }
  const bool is_number = value.isTensor() && value.toTensor().defined() &&
                         value.toTensor().dim() == 0 && !value.toTensor().is_floating_point();
  return is_number ? std::optional(value.toTensor().item<std::int64_t>()) : std::nullopt;
}

}  // namespace actswap
