// The options of `actswap convert`, and the request that they fill.
#pragma once

#include "export_flags.h"
#include "subcommand.h"

#include <actswap/pipeline/convert.h>

#include <string>
#include <vector>

namespace actswap::tool {

struct ConvertFlags {
  std::string model;
  std::string calibrate;
  std::string train;
  std::string validation;
  DataOptions data;
  PlanFlags plan;
  std::vector<std::string> inputs;
  bool thaws = false;
  bool is_dry = false;
  bool keeps_best = false;
  std::string resume;
  ExportFlags exporting;
  ConvertRequest request;
};

/// @param flags are filled when the command line is parsed; must outlive the app
void add_convert_flags(CLI::App& app, ConvertFlags& flags);

}  // namespace actswap::tool
