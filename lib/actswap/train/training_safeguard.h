// Whether a training did harm, and what was before it.
#pragma once

#include <actswap/base/export.h>
#include <actswap/data/dataset.h>
#include <actswap/data/subset.h>
#include <actswap/train/module_tensors.h>
#include <actswap/train/trainer.h>

#include <torch/script.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace actswap {

/// What a training did to the loss on some examples, in eval mode.
struct TrainingEffect {
  std::int64_t examples = 0;
  double before = 0.0;
  double after = 0.0;         ///< of the weights that the training gives
  double kept_share = 1.0;    ///< of the way from the weights before to those at the end, in [0, 1]
  double kept_loss = 0.0;     ///< of the weights that are kept
  std::string diverged = {};  ///< of a training that diverged, how; it is taken back

  bool is_taken_back() const { return kept_share == 0.0; }
};

/// Remembers a model as it is before a training. With a rate that is too high for it, or with too
/// few steps, a model that was calibrated may come out worse than it went in. A part of the way
/// that its weights went may still do it good: noise that the steps have added costs the square of
/// the part, what they have learnt grows with the part itself, so weights between are often better
/// than both ends (Wortsman et al. 2022, "Robust fine-tuning of zero-shot models", mix both ends
/// too).
class ACTSWAP_API TrainingSafeguard {
 public:
  /// Measures the loss on at most 512 examples: the last of the first epoch, which a training of
  /// less than an epoch does not see. Module, teacher and data must outlive it.
  /// @param module that will be trained
  /// @param teacher as train takes it
  /// @param data of the training
  /// @param options of the training that follows
  TrainingSafeguard(torch::jit::Module& module, std::optional<torch::jit::Module> teacher,
                    const Dataset& data, const TrainOptions& options);
  /// The same on these examples.
  TrainingSafeguard(torch::jit::Module& module, std::optional<torch::jit::Module> teacher,
                    const Subset& examples, const TrainOptions& options);

  /// Measures again. If the loss is higher, by more than a fifth of what the terms on labels (mse,
  /// cross-entropy, a module) were before, keeps the best part.
  TrainingEffect undo_harm();
  /// Measures again, and at three quarters, the half, the quarter and the eighth of the way from
  /// what the module was to what it is. The module gets the weights with the lowest loss: those at
  /// the end, one of these mixtures, or all that it was, as after a loss that is no number. For
  /// examples that the training did not see.
  TrainingEffect keep_best_part();
  /// Gives the module back all it was, after a training that diverged.
  TrainingEffect undo(const Diverged& how);

 private:
  void choose_part();
  double mean_of(const Loss& loss);

  torch::jit::Module& module_;
  std::optional<torch::jit::Module> teacher_;
  TrainOptions options_;
  Subset examples_;
  ModuleTensors tensors_;
  std::vector<torch::Tensor> weights_;
  TrainingEffect effect_;
  double harmless_rise_ = 0.0;
};

}  // namespace actswap
