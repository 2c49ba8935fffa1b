// Whether the checkpoints of a run fit onto the disk, found out before anything long begins.
#pragma once

#include <actswap/graph/model.h>
#include <actswap/pipeline/convert_options.h>

#include <cstdint>

namespace actswap {

/// Bytes of one checkpoint, at most about: the tensors of the model, once for each of the weights,
/// the optimizer's moments, the average, the best check, all these again for the good state that a
/// retry goes back to, and what calibration and control gave.
std::int64_t checkpoint_bytes(const Model& model, const ConvertOptions& options);

/// Tries with a file that is removed again, so that quotas and limits count too.
/// @throws FileError that says what is missing
void expect_room(const std::string& folder, std::int64_t bytes_of_checkpoint);

}  // namespace actswap
