#include <actswap/base/activity.h>
#include <actswap/base/error.h>
#include <actswap/base/same_file.h>
#include <actswap/data/sample.h>
#include <actswap/export/find_probe.h>
#include <actswap/graph/insert.h>
#include <actswap/graph/retarget.h>
#include <actswap/measure/judge.h>
#include <actswap/measure/normalisation.h>
#include <actswap/pipeline/batches.h>
#include <actswap/pipeline/choose_plan.h>
#include <actswap/pipeline/conversion_calibration.h>
#include <actswap/pipeline/conversion_fields.h>
#include <actswap/pipeline/conversion_pruning.h>
#include <actswap/pipeline/conversion_state.h>
#include <actswap/pipeline/conversion_training.h>
#include <actswap/pipeline/convert.h>
#include <actswap/pipeline/expect_swaps.h>
#include <actswap/pipeline/gates.h>
#include <actswap/pipeline/phases.h>
#include <actswap/pipeline/recipe.h>
#include <actswap/pipeline/recorded.h>
#include <actswap/pipeline/site_history.h>
#include <actswap/pipeline/training_defaults.h>

#include <algorithm>
#include <cmath>
#include <set>
#include <utility>

namespace actswap {

namespace {

// Relative to the largest output.
constexpr double kTolerance = 1e-5;

class Conversion {
 public:
  Conversion(const Model& model, const Plan& plan, const ConvertOptions& options,
             const ConvertCallbacks& callbacks, RunProgress progress, Run& run)
      : state_(model, plan, options, callbacks, progress, run), training_(state_) {}

  /// What the plan was made from.
  void note(const ChosenPlan& chosen) {
    state_.run.sensitivity = chosen.sensitivity;
    state_.run.partial = chosen.partial;
  }

  /// All but the export.
  void prepare() {
    if (state_.options.validation_data && !state_.is_measurable) {
      state_.message("the validation data has no target: outputs are compared with the original's");
    }
    check_insertion();
    training_.check_layers();
    state_.original = recompile(state_.model.module);
    note_sites();
    if (state_.is_measurable) {
      state_.begin_phase("measure");
      state_.message("measuring the original and the swap alone");
      state_.run.original = measured("original", state_.original);
      expect_gate_can_pass(state_);
      state_.swap.set_blend(1.0);
      if (!state_.options.keeps_activations) {
        state_.run.swap_alone = measured("swap_alone", state_.swap.module());
      }
    }
    retarget();
  }

  /// With another seed, what the first gave.
  SeedResult repeat(const Run& first) {
    state_.run.original = first.original;
    state_.run.train.learning_rate = first.train.learning_rate;
    state_.run.rate_sweep = first.rate_sweep;
    state_.run.site_order = first.site_order;
    state_.original = recompile(state_.model.module);
    retarget();
    return result();
  }

  void add(SeedResult other) {
    if (state_.run.seeds.empty()) {
      state_.run.seeds.push_back(result());
    }
    state_.run.seeds.push_back(std::move(other));
    state_.record();
  }

  Run finish() {
    expect_gate_passed(state_);
    {
      const StopsAtOnce while_writing;  // from here on nobody asks for an interruption
      state_.check_interruption();
      state_.begin_phase("export");
      if (state_.options.together.is_first()) {
        write();
      }
    }
    return state_.run;
  }

  const ConversionState& state() const { return state_; }

 private:
  SeedResult result() const {
    SeedResult result{.seed = state_.options.train.seed,
                      .retargeted = {state_.run.retargeted, state_.run.agreement.value()}};
    if (control_) {
      result.control = Judgement{state_.run.control, state_.run.control_agreement.value()};
    }
    return result;
  }

  void retarget() {
    state_.swap.set_blend(0.0);
    if (state_.options.calibration_data && is_ramp()) {
      state_.calibrated_ramp.emplace(state_.swap.module());
    }
    if (state_.options.calibration_data && !state_.options.keeps_activations) {
      calibrate_retargeted(state_);
      if (state_.is_measurable) {
        state_.run.calibrated = measured("calibrated", state_.swap.module());
      }
      state_.record();
    }
    if (state_.options.prune) {
      prune_retargeted(state_);
    }
    if (state_.options.calibration_data) {
      prepare_training();
    }
    if (state_.run.trained) {
      training_.train_retargeted();
      if (state_.fading) {
        state_.swap.replace(state_.fading->cut());
      }
      if (state_.options.control) {
        control_ = training_.train_control();
      }
    } else if (!state_.options.calibration_data) {
      state_.message("a plain swap: no training data, the parameters stay as they are");
    }
    state_.check_interruption();
    state_.swap.set_blend(1.0);
    state_.swap.module().eval();
    if (state_.options.validation_data || state_.options.agreement_data) {
      judge_results();
    }
    state_.record();
  }

  Evaluation measured(const std::string& name, torch::jit::Module& module) {
    return state_.remembered<Evaluation>(name, [&] {
      const auto found = state_.measure(module);
      state_.progress.log.metric(name, found);
      return found;
    });
  }

  // For the record alone, so not where none is written.
  void note_sites() {
    if (is_probe_given_ && !state_.probe_inputs.empty() && !state_.run.run_directory.empty()) {
      sites_.emplace(state_.model, collapsed(state_.swap.module()), state_.probe_inputs);
    }
  }

  // In one pass: beside the original, whose outputs the others are compared with.
  void judge_results() {
    std::vector<Variant> variants = {{state_.original}, {state_.swap.module()}};
    if (control_) {
      variants.push_back({*control_});
    }
    const auto& data = state_.options.validation_data ? state_.options.validation_data
                                                      : state_.options.agreement_data;
    JudgeOptions judging{.should_stop = state_.callbacks.should_stop,
                         .together = state_.options.together};
    if (!state_.options.validation_data) {
      judging.batch_size = state_.options.calibration.batch_size;
    }
    const auto judgements = judge(variants, *data, judging);
    state_.run.retargeted = judgements[1].evaluation;
    state_.run.agreement = judgements[1].agreement;
    if (control_) {
      state_.run.control = judgements[2].evaluation;
      state_.run.control_agreement = judgements[2].agreement;
    }
    for (const auto& [name, evaluation] : {std::pair("retargeted", &state_.run.retargeted),
                                           std::pair("control", &state_.run.control)}) {
      if (*evaluation) {
        state_.progress.log.metric(name, **evaluation);
      }
    }
  }

  // The blends must not change what the model computes before t moves.
  void check_insertion() {
    auto original = recompile(state_.model.module);
    Probe probe;
    if (!state_.options.probe_inputs.empty()) {
      probe = run_probe(original, state_.options.probe_inputs);
    } else {
      const auto& training_data =
          state_.options.train_data ? state_.options.train_data : state_.options.calibration_data;
      const auto& data =
          state_.options.validation_data ? state_.options.validation_data : training_data;
      is_probe_given_ = data != nullptr;
      is_probe_data_ = is_probe_given_;
      if (data) {
        probe = run_probe(original, first_inputs(*data));
      } else {
        auto found = find_probe(original, state_.model);
        probe = std::move(found.probe);
        is_probe_data_ = found.is_data;
      }
    }
    probe_origin_ = probe.origin;
    state_.probe_inputs = probe.inputs;
    if (state_.probe_inputs.empty()) {
      return;
    }
    const auto result = compare_with(probe, state_.swap.module(),
                                     insertion_tolerance(state_.run.plan, state_.model));
    if (result.differs) {
      throw VerificationError("The model with blends at t = 0 differs from the original: " +
                              result.reason + "; this is a bug in actswap, nothing was written");
    }
  }

  bool is_ramp() const { return state_.run.trained && state_.schedule.at(0.0) < 1.0; }

  // By what the last fit has left to be learnt.
  void prepare_training() {
    const auto& fit =
        state_.run.pruning ? state_.run.pruning->pruning.refit : *state_.run.calibration;
    if (state_.run.trained && state_.options.learning_rate.kind == LearningRate::Kind::calibrated) {
      state_.run.train.learning_rate = default_learning_rate(
          fit.learning_rate, state_.run.train.steps(state_.options.train_data->size()));
      state_.message("learning rate: " + number(state_.run.train.learning_rate));
    }
    if (state_.calibrated_ramp) {
      state_.calibrated_ramp->rewind();
    }
    if (state_.fading) {
      state_.fading->begin();
    }
  }

  void write() {
    ExportOptions exporting;
    exporting.probe_inputs = state_.probe_inputs;
    exporting.tolerance = kTolerance;
    exporting.self_test = state_.options.self_test;
    exporting.probe_is_data = is_probe_data_;
    exporting.probe_origin = probe_origin_;
    exporting.overwrites_original = state_.options.overwrites_original;
    if (state_.run.trained) {
      exporting.provenance = {{"schedule", state_.run.schedule},
                              {"loss", to_string(state_.options.train.loss)},
                              {"seed", std::to_string(state_.options.train.seed)}};
    }
    if (state_.run.pruning) {
      exporting.provenance["pruned"] = summary(state_.run.pruning->pruning);
    }
    state_.message("collapsing, verifying, writing");
    state_.run.verification = export_model(state_.swap, state_.run.output, exporting);
    if (is_probe_given_) {
      LatencyOptions latency;
      latency.rounds = 10;
      const auto exported = collapsed(state_.swap.module());
      state_.run.latency = measure_latency({state_.model.module, exported}, exporting.probe_inputs,
                                           RuntimeSetting::plain, latency);
      state_.run.machine = this_machine();
      if (sites_) {
        state_.run.sites = sites_->records(exported);
      }
    }
  }

  ConversionState state_;
  ConversionTraining training_;
  std::optional<torch::jit::Module> control_;
  std::optional<SiteHistory> sites_;
  bool is_probe_given_ = true;  // otherwise it was found in the file, or guessed
  bool is_probe_data_ = true;
  std::string probe_origin_;
};

Run convert_planned(const Model& model, const ConvertOptions& options,
                    const ConvertCallbacks& callbacks, const ChosenPlan& chosen,
                    RunProgress progress, Run& run) {
  const auto& plan = chosen.plan;
  Conversion conversion(model, plan, options, callbacks, progress, run);
  conversion.note(chosen);
  conversion.prepare();
  for (std::int64_t i = 1; i < options.seeds; ++i) {
    ConvertOptions other = options;
    other.train.seed += static_cast<std::uint64_t>(i);
    other.run_directory.clear();  // one record, of the first
    const auto seed = std::to_string(other.train.seed);
    const auto key = "result of seed " + seed;
    SeedResult result;
    if (const auto known = progress.checkpoints.finished(key)) {
      restore(result, *known);
    } else {
      conversion.state().message("again with seed " + seed);
      Run of_seed = begun_run(model, plan, other);
      result = Conversion(model, plan, other, callbacks, progress, of_seed).repeat(run);
      progress.checkpoints.forget("seed " + seed);
      progress.checkpoints.finish(key, state_of(result));
    }
    conversion.add(std::move(result));
  }
  return conversion.finish();
}

// Of a run that is resumed behind it, what was chosen.
ChosenPlan chosen_plan(const Model& model, const Plan& plan, const ConvertOptions& options,
                       const ConvertCallbacks& callbacks, RunProgress progress) {
  if (!options.plan_by_sensitivity && !options.budget_ms && !options.min_agreement) {
    return {.plan = plan, .sensitivity = {}};
  }
  if (const auto known = progress.checkpoints.finished("plan")) {
    ChosenPlan chosen{.plan = plan, .sensitivity = {}};
    restore(chosen, *known);
    return chosen;
  }
  progress.log.phase("plan");
  auto chosen = choose_plan(model, plan, options, callbacks, progress.checkpoints);
  if (!options.together.is_alone()) {  // times are different on each rank
    restore(chosen, from_bytes(options.together.of_first(to_bytes(state_of(chosen)))));
  }
  progress.checkpoints.forget(kPlanSearch);
  progress.checkpoints.finish("plan", state_of(chosen));
  return chosen;
}

// About the data that the request brings, each set once.
std::vector<std::string> warnings_about(const Model& model, const ConvertRequest& request) {
  std::vector<std::string> warnings;
  std::set<const Dataset*> known = {nullptr};
  for (const auto& [name, data] : {std::pair("calibration data", request.calibration_data),
                                   std::pair("training data", request.train_data),
                                   std::pair("validation data", request.validation_data)}) {
    if (!known.insert(data.get()).second) {
      continue;
    }
    if (const auto doubt = doubt_normalisation(model, *data)) {
      warnings.push_back(std::string(name) + ": " + *doubt);
    }
  }
  return warnings;
}

}  // namespace

Run convert(const Model& model, const Plan& plan, const ConvertRequest& request,
            const ConvertCallbacks& callbacks) {
  if (!request.keeps_activations) {
    expect_swaps(model, plan);
  } else if (plan.swapped() > 0) {
    throw UsageError(
        "Expected a plan that swaps nothing where activations are kept, but it swaps " +
        std::to_string(plan.swapped()) + "; take keep_activations(model)");
  }
  const auto warnings = warnings_about(model, request);
  for (std::size_t i = 0; callbacks.on_warning && i < warnings.size(); ++i) {
    callbacks.on_warning(warnings[i]);
  }
  const auto options = resolve(model, request);
  if (callbacks.on_phases) {
    callbacks.on_phases(phases_of(options));
  }
  if (callbacks.on_message) {
    callbacks.on_message("recipe: " + describe(options));
  }
  for (std::size_t i = 0; callbacks.on_message && i < options.train.outputs.size(); ++i) {
    callbacks.on_message("output " + std::to_string(i + 1) + " of " +
                         std::to_string(options.train.outputs.size()) + ": " +
                         to_string(options.train.outputs[i]));
  }
  const auto& loss = options.train.loss;
  if (callbacks.on_message && !request.train.loss && has_labels(options.train_data.get()) &&
      !loss.needs_target()) {
    callbacks.on_message(
        "the target of the training data is not learnt: the default loss takes one class, an "
        "integer, for each output; --loss names others");
  }
  if (!options.overwrites_original) {
    check_not_overwritten(options.output, model.path);
  }
  if (!options.together.is_alone()) {
    options.together.expect_same(common_to_ranks(facts_of(model, plan, options)));
  }
  return recorded(model, plan, options, callbacks, [&](RunProgress progress, Run& run) {
    run.warnings = warnings;
    const auto in_batches = with_batches(model, options);
    if (const auto said = batches_in_words(in_batches); callbacks.on_message && !said.empty()) {
      callbacks.on_message(said);
    }
    const auto chosen = chosen_plan(model, plan, in_batches, callbacks, progress);
    return convert_planned(model, in_batches, callbacks, chosen, progress, run);
  });
}

}  // namespace actswap
