#include <actswap/base/activity.h>
#include <actswap/base/error.h>
#include <actswap/graph/operator_library.h>

#include <dlfcn.h>

#include <filesystem>

namespace actswap {

void load_operator_library(const std::string& path) {
  const Reading reading(path);
  std::error_code ignored;
  const bool is_file = std::filesystem::exists(path, ignored);
  const auto name = is_file ? std::filesystem::absolute(path).string() : path;
  if (::dlopen(name.c_str(), RTLD_NOW | RTLD_GLOBAL) == nullptr) {
    throw FileError("Cannot load the library of operators '" + path + "': " + ::dlerror());
  }
}

}  // namespace actswap
