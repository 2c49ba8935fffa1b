// Where a model's classes are, if the data has any.
#pragma once

#include <actswap/base/export.h>
#include <actswap/data/dataset.h>
#include <actswap/graph/model.h>

#include <cstdint>
#include <optional>

namespace actswap {

/// The dimension of the model's first output in which the classes are that the data's first target
/// holds: integers from 0 to below its size, one for each place of the output. None where the
/// target holds no such classes. All targets of a TensorDataset are looked at, of other data the
/// first 1024.
/// @param given whether they are in this dimension; otherwise it is 1, or -1 where the target fits
///   the last alone (N x length x vocabulary), as evaluation has it
/// @throws UsageError where the model rejects the data
ACTSWAP_API std::optional<std::int64_t> find_class_dim(const Model& model, const Dataset& data,
                                                       std::optional<std::int64_t> given = {});

}  // namespace actswap
