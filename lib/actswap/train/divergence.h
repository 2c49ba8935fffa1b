// Whether a training has exploded, or has only ended poorly.
#pragma once

#include <actswap/data/subset.h>
#include <actswap/train/batch_loss.h>

#include <torch/types.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace actswap {

/// Takes as a measure the loss on some training examples, in eval mode: a sixteenth of what the
/// training sees, 64 to 256. A training has
/// diverged where the model at its end
///   - has a loss that is not finite; or
///   - has 10 times the loss, or more, of the worst of these: the model at the start, the swap
///     without training, a model that gives nothing but 0; or
///   - is worse than the first two of these, with parameters that have grown 100-fold: losses like
///     distil-cosine are bounded.
/// A module as the loss may have any sign and scale: there the second does not count. A model that
/// is no better than chance passes: it is poor, and its metric says so.
class DivergenceCheck {
 public:
  /// Measures the model as it is: at the start. Where it does not run in eval mode, or its loss is
  /// not finite there, nothing is compared with it. What is given must outlive it.
  DivergenceCheck(BatchLoss& loss, const Dataset& data, const TrainOptions& options,
                  const std::vector<torch::Tensor>& parameters);

  /// Of each step the loss of its batch, from step 1. @return whether it has exploded: the losses
  /// of 20 steps in a row were above 10 times the worst of the first two losses above
  bool note(std::int64_t step, double loss);
  /// Whether the last one was above that.
  bool is_above() const { return above_ > 0; }

  /// In words what is wrong with the model as it is: at the end. None where nothing is.
  /// @param swap_loss asked only where it matters: runs `measure` on the swap without training
  std::optional<std::string> verdict(
      const std::function<double(const std::function<double()>& measure)>& swap_loss);

  /// Of a check that was made of the same model at its start.
  template <typename Fields>
  void visit_fields(Fields& fields) {
    fields("first_above", first_above_);
    fields("above", above_);
  }

 private:
  double size_of_parameters() const;
  bool is_diverged(double loss, double untrained) const;

  BatchLoss& loss_;
  Subset examples_;
  const std::vector<torch::Tensor>& parameters_;
  bool has_scale_;
  bool is_comparable_ = true;
  double start_ = 0.0;
  double of_zeros_ = 0.0;
  double size_ = 0.0;  // root mean square of the parameters
  std::optional<std::int64_t> first_above_;
  std::int64_t above_ = 0;  // steps in a row
};

}  // namespace actswap
