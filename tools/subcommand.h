// What the subcommands share: each is one file that registers its options and what it runs.
#pragma once

#include "confinement.h"
#include "groups.h"
#include "options.h"

#include <actswap/base/activity.h>
#include <actswap/data/load.h>
#include <actswap/graph/plan.h>
#include <actswap/pipeline/request.h>
#include <actswap/ranks/environment.h>
#include <actswap/ranks/together.h>

#include <CLI/CLI.hpp>

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace actswap::tool {

/// What main runs once the command line is read; returns the exit code.
using Action = std::function<int()>;

/// The group of these options, the last in the help.
inline constexpr char kGeneral[] = "General";
/// Options of every subcommand.
struct CommonOptions {
  bool json = false;
  bool verbose = false;
  bool quiet = false;
  std::vector<std::string> arguments = {};  ///< those after the subcommand's name
  std::string log_file = {};
  std::vector<std::string> libraries = {};  ///< of operators, for subcommands that load models
  ConfineFlags confinement = {};            ///< likewise
  double rank_timeout = 600.0;              ///< seconds, for subcommands that ranks share
  /// The processes that torchrun started for such a subcommand; null: there is only one.
  std::shared_ptr<Ranks> ranks = {};

  /// Whether this process prints what the subcommand finds.
  bool prints() const { return Together(ranks).is_first(); }
};

/// Whether processes that torchrun started share a subcommand's work.
enum class Processes {
  one,  ///< several are refused: all would write the same
  several,
};

/// Adds a subcommand that loads models; `action` becomes its run where it was chosen.
/// @param dependences of its options, checked once the command line is read
/// @param processes several: CommonOptions::ranks are then connected
CLI::App* add_subcommand(CLI::App& app, CommonOptions& common, Action& action,
                         const std::string& name, const std::string& description, Action run,
                         const std::vector<Dependence>& dependences = {},
                         Processes processes = Processes::one);

/// --to, --source, --only, --keep, --site PATTERN=TARGET.
struct PlanFlags {
  PlanOptions options;
  std::vector<std::string> sources;  ///< as given: names with commas between them
  std::vector<std::string> rules;    ///< as given: PATTERN=TARGET
  void add(CLI::App& app);
  PlanOptions resolved() const;  ///< @throws UsageError for a rule without '='
};

/// --calibrate-inputs, --calibrate-batch.
void add_calibration_size_flags(CLI::App& app, CalibrationRequest& request);
/// These, --calibrate-passes, --calibrate-minutes and --calibrate-draw.
void add_calibration_flags(CLI::App& app, CalibrationRequest& request);

/// --mean, --deviation, --inputs, --target, --limit; --resize, --crop, --interpolation, --grey.
void add_data_flags(CLI::App& app, DataOptions& options);
/// Reads the data that `option` names, and logs how.
std::shared_ptr<Dataset> read_data(const std::string& option, const std::string& spec,
                                   const Model& model, const DataOptions& options);
/// Warns if the model seems to expect inputs with another normalisation. The library's `convert`
/// does that itself.
void warn_of_normalisation(const std::string& option, const Model& model, const Dataset& data);
/// They have no effect without data: one of these options.
Dependence data_flags_need(const std::vector<std::string>& on_any_of);

void register_activations(CLI::App& app, CommonOptions& common, Action& action);
void register_inspect(CLI::App& app, CommonOptions& common, Action& action);
void register_convert(CLI::App& app, CommonOptions& common, Action& action);
void register_blend(CLI::App& app, CommonOptions& common, Action& action);
void register_collapse(CLI::App& app, CommonOptions& common, Action& action);
void register_eval(CLI::App& app, CommonOptions& common, Action& action);
void register_bench(CLI::App& app, CommonOptions& common, Action& action);
void register_sensitivity(CLI::App& app, CommonOptions& common, Action& action);
void register_runs(CLI::App& app, CommonOptions& common, Action& action);
void register_verify(CLI::App& app, CommonOptions& common, Action& action);
void register_report(CLI::App& app, CommonOptions& common, Action& action);
void register_doctor(CLI::App& app, CommonOptions& common, Action& action);
/// Defines `completion SHELL`, which text/answer.h answers without LibTorch.
void register_completion(CLI::App& app);

/// From now on the subcommand checks stop_signal() and ends in order after the first signal. It has
/// a second for that, or ten if it must write the record of a training; a second signal ends it at
/// once, as the first did before.
void catch_signals(bool has_record = false);

}  // namespace actswap::tool
