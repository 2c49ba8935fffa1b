// The default loss, rate and batch size of a training.
#pragma once

#include <actswap/base/export.h>
#include <actswap/train/loss.h>
#include <actswap/train/output_form.h>

#include <cstdint>
#include <vector>

namespace actswap {

/// How a training compares with the original's outputs: distil if labels show that the only output
/// tensor holds logits, otherwise outputs.
ACTSWAP_API Signal default_comparison(const std::vector<OutputForm>& outputs);

/// `comparison` and, if the data has classes (look_at_outputs), the cross-entropy weighted by
///   min(1, steps / 400)
/// In few steps the labels add more noise than they teach; in many they make the model better than
/// the original (docs/recovery.md).
/// Plus 3 times `layers`, which preserves inside the model what a calibration has recovered.
/// @param comparison of default_comparison
/// @param has_classes whether the training data has class labels
/// @param compares_layers whether to add `layers`, after a calibration (stays_by_calibration)
/// @param steps of the training (TrainOptions::steps), > 0
ACTSWAP_API Loss default_loss(Signal comparison, bool has_classes, bool compares_layers,
                              std::int64_t steps);

/// Whether a training after a calibration stays near its result: it compares layers, and batch
/// norms keep their statistics. False if labels are learnt in enough steps (400) to learn more from
/// them than those two leave room for (docs/recovery.md).
/// @param learns_labels with cross-entropy
/// @param steps of the training, > 0
ACTSWAP_API bool stays_by_calibration(bool learns_labels, std::int64_t steps);

/// The peak of AdamW's rate after a calibration, if labels are learnt:
///   max(3e-4, of_calibration) min(1, sqrt(steps / 400))
/// A model far from the original has farther to go, and few steps leave no time for the noise of a
/// high rate to settle.
/// @param of_calibration Calibration::learning_rate, >= 0
/// @param steps of the training, > 0
ACTSWAP_API double default_learning_rate(double of_calibration, std::int64_t steps);

/// How many examples to hold out of the training data after a calibration, if no labels are learnt,
/// to find the rate and the best check: a thirty-second of what the training sees, 8 to 256, and at
/// most a quarter of the data. 0 if there are fewer than 32 examples.
ACTSWAP_API std::int64_t default_held_out(std::int64_t examples, double epochs);

/// How many checks on held-out examples it makes.
constexpr double kLabelFreeChecks = 6.0;

/// 64 if labels are learnt. Otherwise the size, from 8 to 64, with which the training takes 128
/// steps: published networks are trained on few inputs.
ACTSWAP_API std::int64_t default_batch_size(bool learns_labels, std::int64_t examples,
                                            double epochs);

}  // namespace actswap
