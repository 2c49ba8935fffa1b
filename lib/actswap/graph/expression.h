// The elementwise operators that end in a node, as a function of one tensor.
#pragma once

#include <actswap/activation/identify.h>
#include <actswap/graph/casts.h>
#include <actswap/graph/elementwise.h>
#include <actswap/graph/match.h>

#include <torch/csrc/jit/ir/ir.h>

#include <optional>
#include <set>
#include <span>
#include <unordered_map>
#include <vector>

namespace actswap {

/// What is known of a value's type, in the order of promotion: the later of two types wins.
enum class ScalarKind {
  number,   ///< no tensor: takes the type of the other operand
  boolean,  ///< the result of a comparison
  narrow,   ///< float16 or bfloat16
  input,    ///< the type of x, whatever that is
  other,    ///< a type of its own, or not known
};

class Expression {
 public:
  /// The operators that `root` ends, as far as they stand in its block.
  explicit Expression(torch::jit::Node* root);

  /// Whether it consists of several operators. It begins after any write in place that others can
  /// see.
  bool usable() const { return nodes_.size() >= 2; }
  /// Tensors that it may be a function of, the nearest to the root first.
  const std::vector<torch::jit::Value*>& candidates() const { return candidates_; }
  /// The parameters and buffers that it contains: a beta that may be learnt.
  const std::vector<torch::jit::Value*>& tensors() const { return tensors_; }
  /// The value that the root writes to in place; nullptr if it does not.
  torch::jit::Value* written() const { return written_; }
  /// From now on such a tensor counts as this number.
  void assume(torch::jit::Value* tensor, double number);

  /// As a function of x; it refers to this expression.
  Form form(const torch::jit::Value* x) const;
  /// Whether it gives the type of x, whatever that is.
  bool keeps_type(const torch::jit::Value* x) const;
  /// The nodes between x and the root, the nearest to the root first.
  std::vector<torch::jit::Node*> parts(const torch::jit::Value* x) const;

 private:
  using Column = std::vector<double>;  // one value for each point
  struct Operation {
    std::vector<torch::jit::Value*> operands;
    std::optional<ActivationSpec> row = {};  // an operator, or a branch on inplace, of the table
    const Elementwise* elementwise = nullptr;
    std::optional<Cast> cast = {};
    bool is_clamp = false;
    bool in_place = false;
    /// Other nodes that belong to it: the condition of a division that checks types.
    std::vector<torch::jit::Node*> further_nodes = {};
  };
  class Evaluation;
  class TypeAnalysis;

  static std::optional<Operation> operation(torch::jit::Node* node);
  void walk();
  /// Notes what the value may be, and the operator that makes it. @return that one's operands
  std::vector<torch::jit::Value*> visit(torch::jit::Value* value);
  void add_constant(torch::jit::Value* value, double number);
  bool depends_on(const torch::jit::Node* node, const torch::jit::Value* x,
                  std::unordered_map<const torch::jit::Node*, bool>& known) const;

  torch::jit::Node* root_;
  torch::jit::Value* written_ = nullptr;  // no other copy of this tensor may replace it
  double rounding_ = kRounding;
  std::set<const torch::jit::Value*> visited_;
  std::vector<torch::jit::Node*> nodes_;
  std::vector<torch::jit::Node*> repeated_;  // casts that another one here stands for
  std::unordered_map<const torch::jit::Node*, Operation> operations_;
  std::vector<torch::jit::Value*> candidates_;
  std::vector<torch::jit::Value*> tensors_;
  std::set<double> constants_;
  std::unordered_map<const torch::jit::Value*, double> assumed_;
};

}  // namespace actswap
