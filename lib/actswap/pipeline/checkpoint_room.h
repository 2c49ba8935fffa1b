// Whether the checkpoints of a run fit onto the disk, found out before anything long begins.
#pragma once

#include <actswap/graph/model.h>
#include <actswap/pipeline/convert_options.h>

#include <cstdint>

namespace actswap {

/// Bytes of one checkpoint, about and at most. It holds the tensors of the model as weights, as the
/// optimizer's moments, as the average and as the best check, all these again for the good state
/// that a retry returns to, and the results of calibration and control.
std::int64_t checkpoint_bytes(const Model& model, const ConvertOptions& options);

/// Tries it with a temporary file, so that quotas and limits count too.
/// @throws FileError that says what is missing
void expect_room(const std::string& folder, std::int64_t bytes_of_checkpoint);

}  // namespace actswap
