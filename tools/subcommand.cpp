#include "subcommand.h"

#include <actswap/base/error.h>

namespace actswap::tool {

namespace {

// "mish,aptx(1,0.5,0.5)": commas inside of parentheses belong to a name.
std::vector<std::string> split_names(const std::string& text) {
  std::vector<std::string> names(1);
  int depth = 0;
  for (const char c : text) {
    depth += c == '(' ? 1 : c == ')' ? -1 : 0;
    if (c == ',' && depth == 0) {
      names.emplace_back();
    } else {
      names.back() += c;
    }
  }
  return names;
}

}  // namespace

CLI::App* add_subcommand(CLI::App& app, CommonOptions& common, Action& action,
                         const std::string& name, const std::string& description, Action run) {
  CLI::App* subcommand = app.add_subcommand(name, description);
  subcommand->option_defaults()->always_capture_default();
  subcommand->add_option("--config", "Read options from this file (TOML or INI); those given win")
      ->expected(1);
  subcommand->add_flag("--json", common.json, "Print the result as JSON");
  subcommand->add_flag("-v,--verbose", common.verbose, "Log more");
  subcommand->add_flag("-q,--quiet", common.quiet, "Log errors only, show no progress");
  subcommand->callback([&action, run = std::move(run)] { action = run; });
  return subcommand;
}

void PlanFlags::add(CLI::App& app) {
  app.add_option("--to", options.to, "Target activation");
  // One value each time, so that none of them swallows the name of the model.
  app.add_option("--source", sources,
                 "Replace these activations (default: those that `actswap activations` marks)")
      ->allow_extra_args(false);
  app.add_option("--only", options.only, "Glob over site ids or module paths: swap only these")
      ->allow_extra_args(false);
  app.add_option("--keep", options.keep, "Glob of sites to leave as they are")
      ->allow_extra_args(false);
  app.add_option("--site", rules, "PATTERN=TARGET: another target for these sites")
      ->allow_extra_args(false);
}

PlanOptions PlanFlags::resolved() const {
  PlanOptions result = options;
  for (const auto& names : sources) {
    for (auto& name : split_names(names)) {
      result.sources.push_back(std::move(name));
    }
  }
  for (const auto& rule : rules) {
    const auto equals = rule.find('=');
    if (equals == std::string::npos || equals == 0) {
      throw UsageError("Expected --site PATTERN=TARGET, but got '" + rule + "'");
    }
    result.rules.emplace_back(rule.substr(0, equals), rule.substr(equals + 1));
  }
  return result;
}

void CalibrationFlags::add(CLI::App& app) {
  app.add_option("--calibrate-inputs", options.inputs, "How many of them");
  app.add_option("--calibrate-batch", options.batch_size, "At a time; bounds the memory");
  app.add_option("--calibrate-passes", options.passes,
                 "Passes over them that fit all layers together, at last (default: 20, less for "
                 "models that take long)");
  app.add_option("--calibrate-draw", draw,
                 "once: those passes go over the same inputs; each-pass: each takes others of the "
                 "data; auto: each-pass where a training follows, otherwise once")
      ->check(CLI::IsMember({"auto", "once", "each-pass"}));
}

CalibrationOptions CalibrationFlags::resolved(bool is_trained) const {
  auto found = options;
  found.draws_each_pass = draw == "each-pass" || (draw == "auto" && is_trained);
  return found;
}

void add_data_flags(CLI::App& app, DataOptions& options) {
  app.add_option("--mean", options.mean, "Subtracted from the inputs, per channel")->delimiter(',');
  app.add_option("--deviation", options.deviation, "The inputs are divided by it, per channel")
      ->delimiter(',');
  app.add_option("--inputs", options.inputs, "Names of the tensors that are the model's inputs")
      ->delimiter(',');
  app.add_option("--target", options.targets,
                 "Name of the tensor that is the target; several for a loss that takes several")
      ->delimiter(',');
  app.add_option("--limit", options.limit, "Take the first so many examples; 0: all");
}

}  // namespace actswap::tool
