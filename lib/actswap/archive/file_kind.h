// Recognises by its content what a file is that is not TorchScript.
#pragma once

#include <actswap/base/export.h>

#include <cstddef>
#include <string>
#include <string_view>

namespace actswap {

/// How many of a file's first bytes file_kind looks at.
inline constexpr std::size_t kFileKindBytes = 264;

/// "an ONNX model" and the like, by a file's first bytes; empty where they tell nothing, and for a
/// zip archive that may be one of PyTorch.
ACTSWAP_API std::string file_kind(std::string_view begin);

/// "a folder of Hugging Face's transformers" and the like, otherwise "a folder".
ACTSWAP_API std::string folder_kind(const std::string& path);

/// Whether data.pkl from torch.save holds modules, and so Python classes, not only tensors.
ACTSWAP_API bool holds_modules(std::string_view pickle);

}  // namespace actswap
