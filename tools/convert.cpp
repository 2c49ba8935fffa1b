// actswap convert: from a trained model to a verified export.
#include "config_file.h"
#include "convert_flags.h"
#include "log/log.h"
#include "planning.h"
#include "progress.h"
#include "resume.h"
#include "subcommand.h"

#include <actswap/base/memory.h>
#include <actswap/measure/input_spec.h>
#include <actswap/pipeline/convert.h>
#include <actswap/pipeline/convert_options.h>
#include <actswap/ranks/environment.h>
#include <actswap/ranks/together.h>

#include <cstdio>
#include <filesystem>

namespace actswap::tool {

namespace {

void load_all_data(ConvertFlags& options, const Model& model) {
  const auto load_from = [&](const char* option, const std::string& path,
                             std::shared_ptr<Dataset>& data) {
    if (!path.empty()) {
      data = read_data(option, path, model, options.data);
    }
  };
  load_from("--calibrate", options.calibrate, options.request.calibration_data);
  load_from("--train", options.train, options.request.train_data);
  load_from("--val", options.validation, options.request.validation_data);
  options.request.probe_inputs = make_inputs(options.inputs, model.module);
}

// Whatever a value names that is a file: "images.idx,labels.idx", "module:focal.pt".
std::vector<std::string> files_of(const ConvertFlags& options) {
  std::vector<std::string> files;
  auto values = options.inputs;
  values.insert(values.end(), {options.calibrate, options.train, options.validation});
  if (options.request.train.loss) {
    for (const auto& term : options.request.train.loss->terms) {
      values.push_back(term.path);
    }
  }
  for (const auto& value : values) {
    for (const auto& part : CLI::detail::split(value, ',')) {
      std::error_code ignored;
      if (!part.empty() && std::filesystem::exists(part, ignored)) {
        files.push_back(part);
      }
    }
  }
  return files;
}

// Whether torchrun restarted the processes, whichever of them failed: all died with it.
bool goes_on_by_itself(const ConvertRequest& request) {
  const auto run = request.run_directory.value_or(request.output + ".run");
  return Together(request.ranks)
      .any(is_restarted() || is_unfinished_of_job(run, request.invocation.job));
}

// The entries of the record that let --resume need nothing else.
void note_invocation(const CommonOptions& common, ConvertFlags& options) {
  auto& request = options.request;
  request.data_files = files_of(options);
  request.invocation = {.arguments = common.arguments,
                        .directory = std::filesystem::current_path().string(),
                        .job = job_of_environment()};
  request.ranks = common.ranks;
  if (!options.resume.empty()) {
    request.run_directory = options.resume;
  }
  request.resumes = !options.resume.empty() || goes_on_by_itself(request);
}

ConvertCallbacks shown_on(ProgressDisplay& display) {
  ConvertCallbacks callbacks;
  callbacks.on_phases = [&](const std::vector<RunPhase>& phases) { display.plan(phases); };
  callbacks.on_message = [&](const std::string& text) { display.message(text); };
  callbacks.on_warning = [&](const std::string& text) { display.warning(text); };
  callbacks.on_calibrated_site = [&](std::size_t done, std::size_t count) {
    display.count("calibrate", static_cast<std::int64_t>(done), static_cast<std::int64_t>(count));
  };
  callbacks.on_surveyed_layer = [&](std::size_t done, std::size_t count) {
    display.count("survey", static_cast<std::int64_t>(done), static_cast<std::int64_t>(count));
  };
  callbacks.on_calibration_pass = [&](std::size_t done, std::size_t count) {
    display.count("fit together", static_cast<std::int64_t>(done),
                  static_cast<std::int64_t>(count));
  };
  callbacks.on_step = [&](const std::string& phase, const Progress& progress) {
    display.step(phase, progress);
  };
  callbacks.on_sensitivity = [&](std::int64_t run, std::int64_t runs) {
    display.count("sensitivity", run, runs);
  };
  callbacks.on_epoch = [&](const std::string& phase, const EpochRecord& epoch) {
    display.epoch(phase, epoch);
  };
  callbacks.should_stop = [] { return stop_signal() != 0; };
  return callbacks;
}

int run(const CommonOptions& common, const CLI::App& subcommand, ConvertFlags& options) {
  const auto model = load_model(options.model, options.thaws);
  const auto the_plan =
      options.request.keeps_activations ? keep_activations(model) : make_plan(model, options.plan);
  if (options.is_dry) {
    print_plan(common, model, the_plan);
    return 0;
  }
  if (options.keeps_best) {
    options.request.train.keep = Keep::best;
  }
  options.exporting.check(options.request.output,
                          {options.model, options.calibrate, options.train, options.validation});
  options.exporting.check(options.request.output, options.inputs);
  load_all_data(options, model);
  if (options.request.trains()) {
    keep_freed_memory();
  }
  warn_of_fixed_mode(model, options.request.trains());
  options.request.self_test = parse_self_test(options.exporting.self_test);
  options.request.overwrites_original = options.exporting.force;
  options.request.configuration = as_config_file(subcommand);
  note_invocation(common, options);
  catch_signals(!options.train.empty());
  ProgressDisplay display(common.quiet || !common.prints());
  const auto run = convert(model, the_plan, options.request, shown_on(display));
  if (!common.prints()) {
    return 0;
  }
  report_export(run.verification);
  std::printf("%s", common.json ? (to_json(run) + "\n").c_str() : summary_table(run).c_str());
  return 0;
}

}  // namespace

void register_convert(CLI::App& app, CommonOptions& common, Action& action) {
  const auto options = std::make_shared<ConvertFlags>();
  auto* subcommand = add_subcommand(
      app, common, action, "convert", "Retarget a model: swap, fine-tune, verify, export",
      [&app, &common, options] { return run(common, *app.get_subcommand("convert"), *options); },
      {data_flags_need({"--train", "--val", "--calibrate"})}, Processes::several);
  add_convert_flags(*subcommand, *options);
}

}  // namespace actswap::tool
