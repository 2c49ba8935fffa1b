// Writing a module to a file.
#pragma once

#include <torch/script.h>

#include <string>
#include <unordered_map>

namespace actswap {

/// What module.save() writes, to a new file. Module::save() itself ends the process where the disk
/// is full: LibTorch's archive writer writes on in its destructor, and throws there.
/// @throws std::system_error where the file cannot be written, c10::Error for a module that cannot
/// be
///   saved
void save_module(const torch::jit::Module& module, const std::string& path,
                 const std::unordered_map<std::string, std::string>& extra_files);

}  // namespace actswap
