// What a model gives for the training data, and what of it can be learnt: looked at before anything
// long begins.
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
  /// The dimension of the first output in which the classes are that the data's first target holds:
  /// integers from 0 to below its size, one for each place of the output. None where the target
  /// holds no such classes. All targets of a TensorDataset are looked at, of other data the first
  /// 1024.
  std::optional<std::int64_t> class_dim = {};
  /// The first target against the output's classes, where it holds an integer for each place of the
  /// output; otherwise of no numbers.
  LabelRange labels = {};
  std::vector<OutputForm> forms = {};  ///< of each output
};

/// Runs the model on at most 64 examples.
/// @param model is run in eval mode
/// @param data its inputs, and its first target for the classes
/// @param class_dim where the user says that the classes are; otherwise it is 1, or -1 where the
///   target fits the last alone (N x length x vocabulary), as evaluation has it
/// @throws UsageError where the model rejects the data, or has no such dimension
ACTSWAP_API ModelOutputs look_at_outputs(const Model& model, const Dataset& data,
                                         std::optional<std::int64_t> class_dim = {});

/// Computes the loss of one batch, with the original in the place of the model that is to be
/// trained, but for the signals that need blends (sites, layers).
/// @throws UsageError, FileError where the loss fits the model or the data not
ACTSWAP_API void check_loss(const Model& model, const Dataset& data, const TrainOptions& options);

}  // namespace actswap
