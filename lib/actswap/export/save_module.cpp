#include <actswap/base/files.h>
#include <actswap/export/save_module.h>

#include <torch/csrc/jit/serialization/export.h>

namespace actswap {

void save_module(const torch::jit::Module& module, const std::string& path,
                 const std::unordered_map<std::string, std::string>& extra_files) {
  OutputFile file(path);
  torch::jit::ExportModule(
      module,
      [&](const void* data, std::size_t size) {
        file.write(data, size);
        return size;  // also where it failed, which close() says
      },
      extra_files);
  file.close();
}

}  // namespace actswap
