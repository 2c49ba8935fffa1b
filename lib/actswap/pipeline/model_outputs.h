// Looks, before anything long begins, at a model's outputs for the training data and at what it can
// learn from.
#pragma once

#include <actswap/base/export.h>
#include <actswap/data/dataset.h>
#include <actswap/data/labels.h>
#include <actswap/graph/model.h>
#include <actswap/train/output_form.h>
#include <actswap/train/trainer.h>

#include <cstdint>
#include <optional>
#include <vector>

namespace actswap {

struct ModelOutputs {
  /// The dimension of the first output along which the classes are that the data's first target
  /// holds: integers from 0 to below its size, one for each place of the output. Empty if it holds
  /// no such classes. Judged by all targets of a TensorDataset, by the first 1024 of other data.
  std::optional<std::int64_t> class_dim = {};
  /// The check of the first target against the output's classes, if it holds an integer for each
  /// place of the output; otherwise a check of no numbers.
  LabelRange labels = {};
  std::vector<OutputForm> forms = {};  ///< of each output
};

/// Runs the model on at most 64 examples.
/// @param model is run in eval mode
/// @param data its inputs, and its first target for the classes
/// @param class_dim the user's dimension of the classes; if empty, 1, or -1 if the target fits only
///   the last (N x length x vocabulary), as in evaluation
/// @throws UsageError where the model rejects the data, or has no such dimension
ACTSWAP_API ModelOutputs look_at_outputs(const Model& model, const Dataset& data,
                                         std::optional<std::int64_t> class_dim = {});

/// Computes the loss of one batch with the original in place of the model to be trained, without
/// the signals that need blends (sites, layers).
/// @throws UsageError, FileError if the loss does not fit the model or the data
ACTSWAP_API void check_loss(const Model& model, const Dataset& data, const TrainOptions& options);

}  // namespace actswap
