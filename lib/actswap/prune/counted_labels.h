// Which labels the numbers in a model's code count.
#pragma once

#include <actswap/prune/labelled_run.h>

#include <vector>

namespace actswap {

class CountedLabels {
 public:
  /// @param run must outlive it
  explicit CountedLabels(LabelledRun& run) : run_(run) {}

  /// Of each entry that the number counts, its label; kFixed: it stays.
  std::vector<Label> of(const Count& count) const;

  /// Whether the number will be right by itself, as the size of a dimension with the same labels. A
  /// number that depends on the inputs must be, and a trial will tell.
  /// @param labels of(count)
  bool follow(const Count& count, const std::vector<Label>& labels) const;

 private:
  std::vector<Label> along(const at::Tensor& array, const Count& count) const;

  LabelledRun& run_;
};

}  // namespace actswap
