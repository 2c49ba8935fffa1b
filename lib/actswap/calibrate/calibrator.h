// The steps of a calibration, one after another.
#pragma once

#include <actswap/calibrate/calibrate.h>
#include <actswap/calibrate/kept_entries.h>
#include <actswap/data/sample.h>

#include <torch/script.h>

#include <vector>

namespace actswap {

/// The model that a module which lost units is compared with.
struct Original {
  const torch::jit::Module& module;
  const KeptEntries& kept;
};

/// calibrate() on batches that fit into the memory.
/// @param blended in eval mode, with blends at t = 0
/// @param original null: compares with `blended` with its blends at 0; otherwise the blends of
///   `blended` stay as they are
/// @param batches at least one, none of them empty
/// @param stream the inputs of the joint fit's passes; null: the batches
/// @throws what calibrate() throws, but std::bad_alloc for lack of memory
Calibration run_calibration(torch::jit::Module& blended, const Original* original,
                            const std::vector<std::vector<torch::Tensor>>& batches,
                            const InputStream* stream, const CalibrationOptions& options,
                            const CalibrationCallbacks& callbacks);

}  // namespace actswap
