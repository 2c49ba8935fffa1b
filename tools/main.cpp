// The program: text that answers at once, and a module for everything else. LibTorch takes a
// quarter of a second to load, so the module, which is linked to it, is loaded when a subcommand
// runs.
#include "module.h"
#include "text/answer.h"
#include "text/help.h"

#include <actswap/base/error.h>
#include <actswap/base/find_libtorch.h>
#include <actswap/base/supervise.h>
#include <actswap/base/threads.h>

#include <dlfcn.h>
#include <link.h>

#include <cstdio>
#include <filesystem>

namespace actswap::tool {

namespace {

namespace fs = std::filesystem;

// Only the system finds a distribution's LibTorch, whose libraries have other names.
constexpr bool kFindsLibtorch = ACTSWAP_FINDS_LIBTORCH;

// The symbols are global, as those of a program that is linked to LibTorch.
void* open_library(const std::string& path) {
  return ::dlopen(path.c_str(), RTLD_LAZY | RTLD_GLOBAL);
}

/// The file that a library was loaded from.
std::string file_of(void* library) {
  link_map* entry = nullptr;
  return ::dlinfo(library, RTLD_DI_LINKMAP, &entry) == 0 ? entry->l_name : "";
}

/// Loads LibTorch by its path, so that the module, which names it without one, gets this one. If no
/// place has it, the system's loader searches its own: LD_LIBRARY_PATH, /etc/ld.so.conf.
void load_libtorch(const LibtorchSearch& search, const std::string& version) {
  void* libtorch = open_library(search.library.empty() ? "libtorch.so" : search.library);
  if (libtorch == nullptr) {
    const std::string reason = ::dlerror();
    throw FileError(search.library.empty() ? libtorch_not_found(version, search)
                                           : "LibTorch cannot be loaded: " + reason);
  }
  expect_libtorch_version(file_of(libtorch), version);
}

ModuleEntry load_module() {
  const auto prefix = fs::read_symlink("/proc/self/exe").parent_path().parent_path();
  const auto folder = prefix / ACTSWAP_MODULE_FOLDER;
  const auto module_file = folder / ACTSWAP_MODULE;
  if (!fs::exists(module_file)) {
    throw FileError("Expected the subcommands in '" + module_file.string() +
                    "', but there is no such file. actswap finds what it needs by its own path: "
                    "move or copy the whole folder that it was installed in");
  }
  if constexpr (kFindsLibtorch) {
    const auto& version = kCommandText.libtorch;
    load_libtorch(find_libtorch(version, {folder / "libtorch", prefix / "libtorch",
                                          prefix.parent_path() / "libtorch"}),
                  version);
  }
  void* module = open_library(module_file);
  void* entry = module == nullptr ? nullptr : ::dlsym(module, kModuleEntry);
  if (entry == nullptr) {
    throw FileError(std::string("The subcommands cannot be loaded: ") + ::dlerror());
  }
  return reinterpret_cast<ModuleEntry>(entry);
}

int run_module(int argc, char** argv) {
  ModuleEntry entry = nullptr;
  try {
    entry = load_module();
  } catch (const Error& error) {
    std::fprintf(stderr, "error: %s\n", error.what());
    return static_cast<int>(error.kind());
  }
  return entry(argc, argv, process_state());
}

}  // namespace

}  // namespace actswap::tool

int main(int argc, char** argv) {
  using namespace actswap::tool;
  if (const auto text = answer(kCommandText, {argv + 1, argv + argc}, help_width())) {
    return print(*text);
  }
  actswap::limit_openmp_threads();
  return actswap::supervise([&] { return run_module(argc, argv); });
}
