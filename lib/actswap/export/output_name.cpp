#include <actswap/base/error.h>
#include <actswap/export/output_name.h>

#include <algorithm>
#include <cctype>

namespace actswap {

void check_output_name(const std::string& path) {
  constexpr std::string_view kOnnx = ".onnx";
  if (path.size() < kOnnx.size()) {
    return;
  }
  const auto stem = path.substr(0, path.size() - kOnnx.size());
  auto extension = path.substr(stem.size());
  std::ranges::transform(extension, extension.begin(),
                         [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  if (extension == kOnnx) {
    throw UsageError("Expected the name of a TorchScript file, but got '" + path +
                     "': actswap writes no ONNX; write '" + stem +
                     ".pt', and PyTorch makes ONNX of it: torch.onnx.export(torch.jit.load('" +
                     stem + ".pt').eval(), (inputs,), '" + path +
                     "', dynamo=False) (examples/onnx/export.py does it and checks the result)");
  }
}

}  // namespace actswap
