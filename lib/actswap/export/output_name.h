// Checks the name of a file that will hold TorchScript.
#pragma once

#include <string>

namespace actswap {

/// @throws UsageError for a name that says ONNX; the message says how to get ONNX
void check_output_name(const std::string& path);

}  // namespace actswap
