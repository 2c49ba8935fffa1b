// The steps of a calibration, one after another.
#pragma once

#include <actswap/calibrate/calibrate.h>
#include <actswap/calibrate/kept_entries.h>
#include <actswap/data/sample.h>

#include <torch/script.h>

#include <vector>

namespace actswap {

/// What a module that has lost units is compared with.
struct Original {
  const torch::jit::Module& module;
  const KeptEntries& kept;
};

/// calibrate() on batches that fit into the memory.
/// @param blended in eval mode, with blends at t = 0
/// @param original null: what `blended` computes with its blends at 0; otherwise its blends stay as
/// they are
/// @param batches at least one, none of them empty
/// @param stream what the joint fit takes in its passes; null: the batches
/// @throws what calibrate() throws, but for std::bad_alloc
Calibration run_calibration(torch::jit::Module& blended, const Original* original,
                            const std::vector<std::vector<torch::Tensor>>& batches,
                            const InputStream* stream, const CalibrationOptions& options,
                            const CalibrationCallbacks& callbacks);

}  // namespace actswap
