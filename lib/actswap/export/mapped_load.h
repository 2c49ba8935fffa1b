// Loading a file without reading its tensors into memory.
#pragma once

#include <torch/script.h>

#include <string>

namespace actswap {

/// What torch::jit::load gives for a file that this version of LibTorch has written, on the CPU,
/// compiled anew; its tensors are the file's own pages, mapped privately (a write to them stays in
/// memory). For files that nobody else changes, as long as the module is there.
/// @throws what LibTorch does for a file that it cannot load
torch::jit::Module load_mapped(const std::string& path);

}  // namespace actswap
