#include <actswap/base/activity.h>
#include <actswap/base/error.h>
#include <actswap/data/sample.h>
#include <actswap/export/find_probe.h>
#include <actswap/graph/insert.h>
#include <actswap/graph/retarget.h>
#include <actswap/measure/judge.h>
#include <actswap/pipeline/conversion.h>
#include <actswap/pipeline/conversion_calibration.h>
#include <actswap/pipeline/conversion_pruning.h>
#include <actswap/pipeline/gates.h>
#include <actswap/pipeline/training_defaults.h>
#include <actswap/prune/prune_steps.h>
#include <actswap/train/trainable.h>

#include <utility>

namespace actswap {

namespace {

// Relative to the largest output.
constexpr double kTolerance = 1e-5;

}  // namespace

void Conversion::note(const ChosenPlan& chosen) {
  state_.run.sensitivity = chosen.sensitivity;
  state_.run.partial = chosen.partial;
}

void Conversion::prepare() {
  if (state_.options.validation_data && !state_.is_measurable) {
    state_.message("the validation data has no target: outputs are compared with the original's");
  }
  check_insertion();
  if (state_.run.trained) {
    trainable_parameters(state_.swap.module());  // throws where there are none
  }
  training_.check_layers();
  if (state_.options.prune) {
    expect_kept_layers(state_.model, state_.probe_inputs, *state_.options.prune);
  }
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

SeedResult Conversion::repeat(const Run& first) {
  state_.run.original = first.original;
  state_.run.train.learning_rate = first.train.learning_rate;
  state_.run.rate_sweep = first.rate_sweep;
  state_.run.site_order = first.site_order;
  state_.original = recompile(state_.model.module);
  retarget();
  return result();
}

void Conversion::add(SeedResult other) {
  if (state_.run.seeds.empty()) {
    state_.run.seeds.push_back(result());
  }
  state_.run.seeds.push_back(std::move(other));
  state_.record();
}

Run Conversion::finish() {
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

SeedResult Conversion::result() const {
  SeedResult result{.seed = state_.options.train.seed,
                    .retargeted = {state_.run.retargeted, state_.run.agreement.value()}};
  if (control_) {
    result.control = Judgement{state_.run.control, state_.run.control_agreement.value()};
  }
  return result;
}

void Conversion::retarget() {
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

Evaluation Conversion::measured(const std::string& name, torch::jit::Module& module) {
  return state_.remembered<Evaluation>(name, [&] {
    const auto found = state_.measure(module);
    state_.progress.log.metric(name, found);
    return found;
  });
}

// For the record alone, so not where none is written.
void Conversion::note_sites() {
  if (is_probe_given_ && !state_.probe_inputs.empty() && !state_.run.run_directory.empty()) {
    sites_.emplace(state_.model, collapsed(state_.swap.module()), state_.probe_inputs);
  }
}

// In one pass: beside the original, whose outputs the others are compared with.
void Conversion::judge_results() {
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
void Conversion::check_insertion() {
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
  const auto result =
      compare_with(probe, state_.swap.module(), insertion_tolerance(state_.run.plan, state_.model));
  if (result.differs) {
    throw VerificationError("The model with blends at t = 0 differs from the original: " +
                            result.reason + "; this is a bug in actswap, nothing was written");
  }
}

bool Conversion::is_ramp() const {
  return state_.run.trained && state_.schedule.at(0.0) < 1.0;
}

// By what the last fit has left to be learnt.
void Conversion::prepare_training() {
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

void Conversion::write() {
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

}  // namespace actswap
