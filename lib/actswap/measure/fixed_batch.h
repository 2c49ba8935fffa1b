// How many examples a model takes at a time.
#pragma once

#include <actswap/base/export.h>
#include <actswap/data/dataset.h>
#include <actswap/graph/model.h>

#include <cstdint>
#include <memory>

namespace actswap {

/// The number of examples that the model takes, if it takes no other, because its code contains the
/// sizes of its trace or export as constants. 0: any number, or unknown.
///
/// Runs the model on 2 and on 4 of the examples. If it rejects one of these, or does not return one
/// row for each example (views of a fixed shape mix them), this tries as many as the trace had, and
/// then one.
/// @param model runs in eval mode
/// @param data its first examples are the inputs
ACTSWAP_API std::int64_t find_fixed_batch(const Model& model, const Dataset& data);

/// The data in batches that the model takes: FixedBatches if it takes a certain number of examples
/// (find_fixed_batch). convert and write_blended call this themselves; calibrate, evaluate and a
/// Loader take the data as they are.
/// @param model runs in eval mode
/// @param data may be null
/// @return `data` itself if the model takes any number
ACTSWAP_API std::shared_ptr<Dataset> in_batches_of(const Model& model,
                                                   const std::shared_ptr<Dataset>& data);

}  // namespace actswap
