// Finds LibTorch on this machine, for a program that loads it while it runs.
#pragma once

#include <string>
#include <vector>

namespace actswap {

struct LibtorchSearch {
  std::string library = {};  ///< the path of libtorch.so; empty: none fits
  /// For a message: a line for each place, with what was found there.
  std::vector<std::string> account = {};
};

/// Looks for libtorch.so of the wanted major and minor version, in this order:
///
/// 1. the folder that ACTSWAP_LIBTORCH names, which holds lib/libtorch.so;
/// 2. the folders `beside`, each laid out in the same way;
/// 3. the PyTorch package that `python3` imports, and the environment it belongs to.
///
/// A folder that does not state its version (share/cmake/Torch/TorchConfigVersion.cmake) counts as
/// fitting. Asking Python takes some 30 ms.
/// @param version as LibTorch has it: "2.13.0"
/// @throws FileError where ACTSWAP_LIBTORCH is set and its folder does not hold a LibTorch that
/// fits
LibtorchSearch find_libtorch(const std::string& version, const std::vector<std::string>& beside);

/// Checks a libtorch.so that the system's loader has found. @throws FileError where its version
/// does not fit
void expect_libtorch_version(const std::string& library, const std::string& version);

/// The message if no LibTorch was found: where the search looked, and what to do.
std::string libtorch_not_found(const std::string& version, const LibtorchSearch& search);

}  // namespace actswap
