// The program: text that answers at once, and a module for everything else. LibTorch takes a
// quarter of a second to load, so the module, which is linked to it, is loaded when a subcommand
// runs.
#include "module.h"
#include "text/answer.h"
#include "text/help.h"

#include <actswap/base/error.h>
#include <actswap/base/supervise.h>
#include <actswap/base/threads.h>

#include <dlfcn.h>

#include <cstdio>

namespace {

// The symbols are global, as those of a program that is linked to LibTorch.
int run_module(int argc, char** argv) {
  void* module = ::dlopen(ACTSWAP_MODULE, RTLD_LAZY | RTLD_GLOBAL);
  void* entry = module == nullptr ? nullptr : ::dlsym(module, actswap::tool::kModuleEntry);
  if (entry == nullptr) {
    std::fprintf(stderr, "error: The subcommands or LibTorch cannot be loaded: %s\n", ::dlerror());
    return static_cast<int>(actswap::ErrorKind::file);
  }
  return reinterpret_cast<actswap::tool::ModuleEntry>(entry)(argc, argv, actswap::process_state());
}

}  // namespace

int main(int argc, char** argv) {
  using namespace actswap::tool;
  if (const auto text = answer(kCommandText, {argv + 1, argv + argc}, help_width())) {
    return print(*text);
  }
  actswap::limit_openmp_threads();
  return actswap::supervise([&] { return run_module(argc, argv); });
}
