// How the numbers of a file are changed before they become inputs and targets.
#pragma once

#include <actswap/data/load.h>

#include <string>

namespace actswap {

/// @throws UsageError for a value outside its range
void check_options(const DataOptions& options);

/// Prepares a batch of one input: uint8 becomes float32 / 255, and N x H x W of uint8 becomes
/// N x 1 x H x W; floating-point numbers then become (x - mean) / deviation.
/// @throws UsageError if mean or deviation do not fit the channels
torch::Tensor prepare_input(torch::Tensor input, const DataOptions& options);
/// Integers and bools become int64.
torch::Tensor prepare_target(const torch::Tensor& target);

/// What prepare_input does, in words: "uint8 / 255, not normalised".
std::string describe_input(const torch::Tensor& stored, const DataOptions& options);

}  // namespace actswap
