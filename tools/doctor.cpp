// actswap doctor: what this machine offers.
#include "subcommand.h"

#include <actswap/base/confine.h>
#include <actswap/base/counted.h>
#include <actswap/base/json_text.h>
#include <actswap/kernel/blend_kernel.h>

#include <ATen/Parallel.h>
#include <torch/version.h>
#include <nlohmann/json.hpp>

#include <dlfcn.h>

#include <cstdio>
#include <string>

namespace actswap::tool {

namespace {

/// The library that was found when the module was loaded.
std::string libtorch_file() {
  Dl_info info = {};
  return ::dladdr(reinterpret_cast<const void*>(&at::get_num_threads), &info) != 0 ? info.dli_fname
                                                                                   : "";
}

int run(const CommonOptions& common) {
  const auto support = confinement_support();
  const auto missing = missing_confinement(support);
  if (common.json) {
    const nlohmann::ordered_json json = {{"schema", 1},
                                         {"actswap", ACTSWAP_VERSION},
                                         {"libtorch", TORCH_VERSION},
                                         {"libtorch_file", libtorch_file()},
                                         {"kernels", kernel_instruction_set()},
                                         {"threads", at::get_num_threads()},
                                         {"confinement",
                                          {{"landlock", support.landlock_abi},
                                           {"seccomp", support.system_calls},
                                           {"missing", missing}}}};
    std::printf("%s\n", json_text(json).c_str());
    return 0;
  }
  std::printf("actswap       %s with LibTorch %s\n", ACTSWAP_VERSION, TORCH_VERSION);
  std::printf("LibTorch      %s\n", libtorch_file().c_str());
  std::printf("blends        compute with %s, on %s\n", kernel_instruction_set(),
              counted(at::get_num_threads(), "thread").c_str());
  std::printf("confinement   Landlock %d, %s\n", support.landlock_abi,
              support.system_calls ? "seccomp" : "no seccomp");
  for (const auto& open : missing) {
    std::printf("  leaves open %s\n", open.c_str());
  }
  if (missing.empty()) {
    std::printf("  a model's code reaches only the files that the command line names\n");
  }
  return 0;
}

}  // namespace

void register_doctor(CLI::App& app, CommonOptions& common, Action& action) {
  auto* subcommand =
      app.add_subcommand("doctor", "Say what this machine offers, and how far it confines a model");
  begin_group(*subcommand, "Options", "actswap doctor");
  subcommand->add_flag("--json", common.json, "Print the result as JSON");
  subcommand->callback([&common, &action] { action = [&common] { return run(common); }; });
}

}  // namespace actswap::tool
