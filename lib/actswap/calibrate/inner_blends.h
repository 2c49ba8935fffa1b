// Blends that a calibration cannot fit, because they do not run in every pass.
#pragma once

#include <actswap/calibrate/layers.h>
#include <actswap/calibrate/program.h>

#include <torch/script.h>

#include <string>
#include <vector>

namespace actswap {

/// Moves blends in a branch, in a loop, in a torch.jit.fork, or in a branch that no input takes to
/// the new function.
/// @param left_out gets a sentence about each
void move_inner_blends(const torch::jit::Module& blended, Program& program,
                       const Neighbourhood& neighbours, std::vector<std::string>& left_out);

}  // namespace actswap
