// What a model is trained on by default, and at which rate.
#pragma once

#include <actswap/base/export.h>
#include <actswap/train/loss.h>
#include <actswap/train/output_form.h>

#include <cstdint>
#include <vector>

namespace actswap {

/// How a training compares with what the original gives: distil where labels say that the only
/// tensor it gives is logits, otherwise outputs.
ACTSWAP_API Signal default_comparison(const std::vector<OutputForm>& outputs);

/// `comparison`, and where the data has classes (look_at_outputs) the cross-entropy as well,
/// weighted by
///   min(1, steps / 400)
/// In few steps the labels add more noise than they teach, in many the model gets better by them
/// than the original (docs/recovery.md).
/// With 3 times `layers`, which keeps inside what a calibration has brought back.
/// @param comparison of default_comparison
/// @param has_classes whether the training data has class labels
/// @param compares_layers of a training after a calibration (stays_by_calibration)
/// @param steps of the training (TrainOptions::steps), > 0
ACTSWAP_API Loss default_loss(Signal comparison, bool has_classes, bool compares_layers,
                              std::int64_t steps);

/// Whether a training after a calibration stays by what that has found: it compares layers, and
/// batch norms keep their statistics. Not where labels are learnt, and there are steps enough (400)
/// to learn more by them than those two leave room for (docs/recovery.md).
/// @param learns_labels with cross-entropy
/// @param steps of the training, > 0
ACTSWAP_API bool stays_by_calibration(bool learns_labels, std::int64_t steps);

/// The peak of AdamW's rate after a calibration, where labels are learnt:
///   max(3e-4, of_calibration) min(1, sqrt(steps / 400))
/// What is far from the original has farther to go, and few steps leave no time in which the noise
/// of a high rate could settle.
/// @param of_calibration Calibration::learning_rate, >= 0
/// @param steps of the training, > 0
ACTSWAP_API double default_learning_rate(double of_calibration, std::int64_t steps);

/// What is held out of the training data after a calibration, where no labels are learnt, to find
/// the rate and the best check by: a thirty-second of what the training sees, 8 to 256, and a
/// quarter of the data at most. 0, where there are fewer than 32 examples.
ACTSWAP_API std::int64_t default_held_out(std::int64_t examples, double epochs);

/// Checks of such a training, on what is held out.
constexpr double kLabelFreeChecks = 6.0;

/// 64 where labels are learnt. Otherwise so many that the training takes 128 steps, 8 to 64:
/// published networks are trained on few inputs.
ACTSWAP_API std::int64_t default_batch_size(bool learns_labels, std::int64_t examples,
                                            double epochs);

}  // namespace actswap
