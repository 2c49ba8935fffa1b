// The inputs that a calibration looks at.
#pragma once

#include <actswap/calibrate/batch_memory.h>
#include <actswap/data/sample.h>

#include <torch/script.h>

#include <cstdint>
#include <optional>

namespace actswap {

class Dataset;
struct CalibrationOptions;

/// If there are several ranks, each has its share of every batch.
struct CalibrationInputs {
  Batches batches;                    ///< small enough to run within the memory granted
  std::optional<InputStream> stream;  ///< other inputs for each pass of the joint fit, if wanted
};

/// As many examples of the data as the options say, drawn by the seed.
CalibrationInputs calibration_inputs(const torch::jit::Module& module, const Dataset& data,
                                     const CalibrationOptions& options, std::uint64_t seed);

/// Cuts batches to fit into the granted memory, and keeps this process's share of them.
/// @throws UsageError where a batch has fewer examples than there are ranks
Batches cut_to_memory(const torch::jit::Module& module, const Batches& batches,
                      const CalibrationOptions& options);

}  // namespace actswap
