// Loading a file without reading its tensors into memory.
#pragma once

#include <torch/script.h>

#include <string>

namespace actswap {

/// Loads a file that this version of LibTorch has written like torch::jit::load, on the CPU,
/// compiled anew, but its tensors are the file's own pages, mapped privately (a write to them stays
/// in memory). For files that nobody else changes while the module exists.
/// @throws as LibTorch does for a file that it cannot load
torch::jit::Module load_mapped(const std::string& path);

}  // namespace actswap
