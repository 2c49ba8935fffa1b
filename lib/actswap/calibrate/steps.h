// What a calibration changes, and in what order.
#pragma once

#include <actswap/calibrate/batch_norm.h>
#include <actswap/calibrate/both_models.h>
#include <actswap/calibrate/layer_fits.h>
#include <actswap/calibrate/layers.h>
#include <actswap/calibrate/program.h>

#include <torch/script.h>

#include <cstddef>
#include <vector>

namespace actswap {

/// A site, a layer or a batch norm, which is changed when all before it is done.
struct CalibrationStep {
  std::size_t position = 0;                 ///< of the last value that the step reads
  BothModels::Settled settled = {};         ///< this step and later ones read nothing before it
  std::vector<torch::Tensor> changed = {};  ///< may contain undefined tensors
  const BlendSite* site = nullptr;          ///< the step then moves it to t = 1
  const Layer* layer = nullptr;
  const BatchNorm* norm = nullptr;
};

/// The steps in the order of the program. They point into `neighbours`.
/// @param with_sites false: only layers and norms are fitted
std::vector<CalibrationStep> plan_steps(const Program& program, const Neighbourhood& neighbours,
                                        const LayerFits& fits, bool with_sites);

}  // namespace actswap
