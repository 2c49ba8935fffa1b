// What a file may be called that holds TorchScript.
#pragma once

#include <string>

namespace actswap {

/// @throws UsageError for a name that says ONNX, with the way there
void check_output_name(const std::string& path);

}  // namespace actswap
