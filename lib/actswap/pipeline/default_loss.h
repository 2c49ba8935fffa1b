// What a model is trained on where nothing is said.
#pragma once

#include <actswap/base/export.h>
#include <actswap/data/dataset.h>
#include <actswap/graph/model.h>
#include <actswap/train/loss.h>

#include <cstdint>

namespace actswap {

/// What the original gives (distil), and, with the same weight, the classes of the data
/// (cross-entropy) where its first target holds classes of the model's first output: the sum is
/// better than either alone (docs/recovery.md).
/// @param class_dim as TrainOptions::class_dim
/// @throws UsageError where the model rejects the data
ACTSWAP_API Loss default_loss(const Model& model, const Dataset& data, std::int64_t class_dim);

}  // namespace actswap
