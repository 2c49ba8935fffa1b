// --confine and its limits: what a subcommand may still do while it runs a model.
#pragma once

#include <actswap/base/confined_run.h>

#include <CLI/CLI.hpp>

#include <string>

namespace actswap::tool {

struct ConfineFlags {
  std::string mode = "auto";
  ConfinedRun run = {};
  void add(CLI::App& subcommand);
};

/// Whether the process is confined, as far as this kernel can.
bool is_on(const ConfineFlags& flags);

/// To be called before a subcommand reads a model. Its options of the types FILE, FOLDER and DATA
/// name what it reads and writes.
void confine(const CLI::App& subcommand, const ConfineFlags& flags);

}  // namespace actswap::tool
