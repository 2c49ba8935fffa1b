// How many examples a model takes at a time.
#pragma once

#include <actswap/base/export.h>
#include <actswap/data/dataset.h>
#include <actswap/graph/model.h>

#include <cstdint>
#include <memory>

namespace actswap {

/// The number of examples that the model takes, where it takes no other: the sizes of what it was
/// traced with, or exported with, stand in its code as constants. 0: any, or not known.
///
/// Runs it on 2 and on 4 of the examples. Where it rejects one of these, or makes something else
/// of several examples than one row for each (views of a fixed shape run them into one another), it
/// is tried with as many as the trace had, and with one.
/// @param model is run in eval mode
/// @param data its first examples are the inputs
ACTSWAP_API std::int64_t find_fixed_batch(const Model& model, const Dataset& data);

/// The data in batches that the model takes: FixedBatches where it takes a certain number of
/// examples (find_fixed_batch). convert and write_blended do so by themselves; calibrate, evaluate
/// and a Loader take the data as they are.
/// @param model is run in eval mode
/// @param data may be null
/// @return `data` itself where the model takes any number
ACTSWAP_API std::shared_ptr<Dataset> in_batches_of(const Model& model,
                                                   const std::shared_ptr<Dataset>& data);

}  // namespace actswap
