// Where a model's classes are, if the data has any.
#pragma once

#include <actswap/base/export.h>
#include <actswap/data/dataset.h>
#include <actswap/graph/model.h>

#include <cstdint>
#include <optional>
#include <vector>

namespace actswap {

/// The first of these dimensions of the model's first output in which the classes are that the
/// data's first target holds: integers from 0 to below its size, one for each place of the output.
/// None where the target holds none. All targets of a TensorDataset are looked at, of other data
/// the first 1024.
/// @param candidates none is 0; negative: from the end. 1 is for N x C (x ...), -1 for
///   N x length x vocabulary
/// @throws UsageError where the model rejects the data
ACTSWAP_API std::optional<std::int64_t> find_class_dim(
    const Model& model, const Dataset& data, const std::vector<std::int64_t>& candidates = {1, -1});

}  // namespace actswap
