#include "subcommand.h"

#include <actswap/base/error.h>

namespace actswap::tool {

CLI::App* add_subcommand(CLI::App& app, CommonOptions& common, Action& action,
                         const std::string& name, const std::string& description, Action run) {
  CLI::App* subcommand = app.add_subcommand(name, description);
  subcommand->option_defaults()->always_capture_default();
  subcommand->set_config("--config", "", "Read options from this file (TOML or INI)");
  subcommand->add_flag("--json", common.json, "Print the result as JSON");
  subcommand->add_flag("-v,--verbose", common.verbose, "Log more");
  subcommand->add_flag("-q,--quiet", common.quiet, "Log errors only, show no progress");
  subcommand->callback([&action, run = std::move(run)] { action = run; });
  return subcommand;
}

void PlanFlags::add(CLI::App& app) {
  app.add_option("--to", options.to, "Target activation");
  app.add_option("--source", options.sources,
                 "Replace these activations (default: those that `actswap activations` marks)")
      ->delimiter(',');
  app.add_option("--only", options.only, "Glob over site ids or module paths: swap only these");
  app.add_option("--keep", options.keep, "Glob of sites to leave as they are");
  app.add_option("--site", rules, "PATTERN=TARGET: another target for these sites");
}

PlanOptions PlanFlags::resolved() const {
  PlanOptions result = options;
  for (const auto& rule : rules) {
    const auto equals = rule.find('=');
    if (equals == std::string::npos || equals == 0) {
      throw UsageError("Expected --site PATTERN=TARGET, but got '" + rule + "'");
    }
    result.rules.emplace_back(rule.substr(0, equals), rule.substr(equals + 1));
  }
  return result;
}

void add_data_flags(CLI::App& app, DataOptions& options) {
  app.add_option("--mean", options.mean, "Subtracted from the inputs, per channel")->delimiter(',');
  app.add_option("--deviation", options.deviation, "The inputs are divided by it, per channel")
      ->delimiter(',');
  app.add_option("--inputs", options.inputs, "Names of the tensors that are the model's inputs")
      ->delimiter(',');
  app.add_option("--target", options.target, "Name of the tensor that is the target");
  app.add_option("--limit", options.limit, "Take the first so many examples; 0: all");
}

}  // namespace actswap::tool
