// Operations of one process or of several together.
#pragma once

#include <actswap/base/export.h>
#include <actswap/base/share.h>
#include <actswap/ranks/ranks.h>

#include <torch/types.h>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace actswap {

/// In a single process, which has no Ranks, every function returns its argument at no cost.
/// Otherwise all ranks call the same functions in the same order. Undefined tensors are skipped.
class ACTSWAP_API Together {
 public:
  Together() = default;
  explicit Together(std::shared_ptr<const Ranks> ranks) : ranks_(std::move(ranks)) {}

  bool is_alone() const { return ranks_ == nullptr; }
  bool is_first() const { return is_alone() || ranks_->rank() == 0; }
  Share share() const;
  const std::shared_ptr<const Ranks>& ranks() const { return ranks_; }

  /// Replaces each tensor, of whatever layout, by its sum over the ranks.
  void add_up(const std::vector<torch::Tensor>& tensors) const;
  double sum(double own) const;
  std::int64_t sum(std::int64_t own) const;
  /// The number of each rank, by rank.
  std::vector<std::int64_t> of_all(std::int64_t own) const;
  bool any(bool own) const { return sum(own ? 1.0 : 0.0) > 0.0; }
  /// Replaces each tensor by that of rank 0.
  void take_from_first(const std::vector<torch::Tensor>& tensors) const;
  double of_first(double own) const;
  std::int64_t of_first(std::int64_t own) const;
  std::string of_first(const std::string& own) const;

  /// The sum over the ranks of a tensor that has a gradient. If each rank takes the gradient of its
  /// part of an error, together they differentiate the sum of the parts; so all ranks must run
  /// backward through it.
  torch::Tensor sum_with_gradient(const torch::Tensor& own) const;
  /// The tensors of all ranks, one after another in this dimension; in the others they agree.
  torch::Tensor joined(const torch::Tensor& own, std::int64_t dim) const;

  /// @throws UsageError on every rank as expect_same_on_all does
  void expect_same(const std::string& facts) const;

 private:
  std::shared_ptr<const Ranks> ranks_;
};

}  // namespace actswap
