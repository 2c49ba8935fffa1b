#include "subcommand.h"

#include <actswap/base/error.h>
#include <actswap/graph/operator_library.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>

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

// Connects with the other processes before a model is read; after that nothing can connect.
void connect(CommonOptions& common) {
  common.ranks = ranks_of_environment(std::chrono::milliseconds(
      static_cast<std::int64_t>(std::ceil(1000.0 * common.rank_timeout))));
  if (common.ranks && is_on(common.confinement)) {
    forbid_new_connections();
  }
}

}  // namespace

CLI::App* add_subcommand(CLI::App& app, CommonOptions& common, Action& action,
                         const std::string& name, const std::string& description, Action run,
                         const std::vector<Dependence>& dependences, Processes processes) {
  CLI::App* subcommand = app.add_subcommand(name, description);
  subcommand->option_defaults()->always_capture_default();
  begin_group(*subcommand, kGeneral);
  const std::string config_help =
      "Read options from this file (TOML or INI): keys before any section, and those of the "
      "section [" +
      name + "]; the command line wins";
  subcommand->add_option("--config", config_help)->type_name("FILE")->expected(1);
  subcommand->add_flag("--json", common.json, "Print the result as JSON");
  subcommand
      ->add_option("--load-library", common.libraries,
                   "First load this library of operators that the model needs: libtorchvision.so")
      ->type_name("FILE")
      ->allow_extra_args(false);
  auto* verbose = subcommand->add_flag("-v,--verbose", common.verbose, "Log more");
  subcommand->add_flag("-q,--quiet", common.quiet, "Log errors only, show no progress")
      ->excludes(verbose);
  subcommand
      ->add_option("--log-file", common.log_file,
                   "Write the log into this file too: every line, with its time")
      ->type_name("FILE");
  if (processes == Processes::several) {
    subcommand
        ->add_option("--rank-timeout", common.rank_timeout,
                     "With torchrun: give up after waiting this many seconds for another process")
        ->type_name("SECONDS")
        ->check(above(0));
  }
  subcommand->callback(
      [&action, &common, run = std::move(run), subcommand, dependences, processes] {
        check_dependences(*subcommand, dependences);
        action = [&common, run, subcommand, processes] {
          if (processes == Processes::one) {
            expect_one_process(subcommand->get_name());
          }
          std::ranges::for_each(common.libraries, load_operator_library);
          confine(*subcommand, common.confinement);
          if (processes == Processes::several) {
            connect(common);
          }
          return run();
        };
      });
  common.confinement.add(*subcommand);
  begin_group(*subcommand, "Options");
  return subcommand;
}

void register_completion(CLI::App& app) {
  auto* subcommand =
      app.add_subcommand("completion", "Print a script that lets a shell complete this command");
  begin_group(*subcommand, kGeneral, "source <(actswap completion bash)");
  subcommand->add_option("shell", "The shell")
      ->type_name("SHELL")
      ->check(one_of({"bash", "zsh", "fish"}))
      ->required();
}

void PlanFlags::add(CLI::App& app) {
  app.add_option("--to", options.to, "Put this activation in place of others")->type_name("NAME");
  // One value each time, so that none of them swallows the name of the model.
  app.add_option(
         "--source", sources,
         "Replace these activations, with commas between them (default: those that `actswap "
         "activations` marks)")
      ->type_name("NAME,...")
      ->allow_extra_args(false);
  app.add_option("--only", options.only,
                 "Swap only the sites that this pattern matches, by id or module path")
      ->type_name("PATTERN")
      ->allow_extra_args(false);
  app.add_option("--keep", options.keep, "Leave the sites that this pattern matches as they are")
      ->type_name("PATTERN")
      ->allow_extra_args(false);
  app.add_option("--site", rules, "Give the sites that this pattern matches another target")
      ->type_name("PATTERN=TARGET")
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

void add_calibration_size_flags(CLI::App& app, CalibrationRequest& request) {
  const CalibrationOptions defaults;
  add_number(app, "--calibrate-inputs", request.inputs, defaults.inputs,
             "Calibrate on this many inputs of the data")
      ->check(at_least(1));
  add_number(app, "--calibrate-batch", request.batch_size, defaults.batch_size,
             "Run this many inputs at a time, or fewer if they take too much memory")
      ->check(at_least(1));
  app.add_option("--calibrate-memory", request.memory,
                 "Take no more memory than this beside the model and the data, 500MB or 4GiB; with "
                 "less, the calibration uses fewer of the inputs (default: 2GB)")
      ->transform(size_in_bytes())
      ->type_name("SIZE");
}

void add_calibration_flags(CLI::App& app, CalibrationRequest& request) {
  add_calibration_size_flags(app, request);
  app.add_option("--calibrate-passes", request.passes,
                 "Fit all layers together in this many passes over the inputs; 0: do not (default: "
                 "20, or as many as 3 minutes have room for)")
      ->check(at_least(0));
  app.add_option(
         "--calibrate-minutes", request.minutes,
         "Fit all layers together until the calibration has taken this long, or gains no more; "
         "0: do not")
      ->check(at_least(0));
  add_word(app, "--calibrate-draw", request.draws_each_pass, is_word("each-pass"), "auto",
           "once: all passes go over the same inputs; each-pass: each pass takes other inputs of "
           "the data; auto: each-pass if a training follows, otherwise once")
      ->check(one_of({"auto", "once", "each-pass"}));
}

}  // namespace actswap::tool
