// What a model is trained on where nobody says.
#pragma once

#include <actswap/base/export.h>
#include <actswap/train/loss.h>

#include <cstdint>

namespace actswap {

/// distil, and where the data has classes (find_class_dim) the cross-entropy as well, weighted by
///   min(1, steps / 400)
/// In few steps the labels add more noise than they teach, in many the model gets better by them
/// than the original (docs/recovery.md).
/// @param steps of the training (TrainOptions::steps), > 0
ACTSWAP_API Loss default_loss(bool has_classes, std::int64_t steps);

}  // namespace actswap
