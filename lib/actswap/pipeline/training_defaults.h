// What a model is trained on by default, and at which rate.
#pragma once

#include <actswap/base/export.h>
#include <actswap/train/loss.h>

#include <cstdint>

namespace actswap {

/// distil, and where the data has classes (find_class_dim) the cross-entropy as well, weighted by
///   min(1, steps / 400)
/// In few steps the labels add more noise than they teach, in many the model gets better by them
/// than the original (docs/recovery.md).
/// With 3 times `layers`, which keeps inside what a calibration has brought back.
/// @param compares_layers of a training after a calibration (stays_by_calibration)
/// @param steps of the training (TrainOptions::steps), > 0
ACTSWAP_API Loss default_loss(bool has_classes, bool compares_layers, std::int64_t steps);

/// Whether a training after a calibration stays by what that has found: it compares layers, and
/// batch norms keep their statistics. Not where labels are learnt, and there are steps enough (400)
/// to learn more by them than those two leave room for (docs/recovery.md).
/// @param learns_labels with cross-entropy
/// @param steps of the training, > 0
ACTSWAP_API bool stays_by_calibration(bool learns_labels, std::int64_t steps);

/// The peak of AdamW's rate after a calibration:
///   max(3e-4, of_calibration) min(1, sqrt(steps / 400))
/// What is far from the original has farther to go, and few steps leave no time in which the noise
/// of a high rate could settle.
/// @param of_calibration Calibration::learning_rate, >= 0
/// @param steps of the training, > 0
ACTSWAP_API double default_learning_rate(double of_calibration, std::int64_t steps);

}  // namespace actswap
