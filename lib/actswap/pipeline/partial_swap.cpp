#include <actswap/base/clock.h>
#include <actswap/base/counted.h>
#include <actswap/base/error.h>
#include <actswap/calibrate/calibrate.h>
#include <actswap/data/sample.h>
#include <actswap/data/split.h>
#include <actswap/graph/retarget.h>
#include <actswap/measure/sensitivity_plan.h>
#include <actswap/pipeline/conversion_fields.h>
#include <actswap/pipeline/noted.h>
#include <actswap/pipeline/partial_swap.h>
#include <actswap/pipeline/text.h>
#include <actswap/report/partial_swap.h>

#include <algorithm>
#include <chrono>
#include <set>

namespace actswap {

namespace {

// A model as it was measured, before anything is known of the time that it saves.
struct Trial {
  std::string measure = {};
  double value = 0.0;
  double seconds = 0.0;
};

template <typename Fields>
void visit(Fields& fields, Trial& trial) {
  fields("measure", trial.measure);
  fields("value", trial.value);
  fields("seconds", trial.seconds);
}

class PartialSwapSearch {
 public:
  PartialSwapSearch(const Model& model, const Plan& plan, const ConvertOptions& options,
                    const ConvertCallbacks& callbacks, RunCheckpoints& checkpoints)
      : model_(model),
        plan_(plan),
        options_(options),
        callbacks_(callbacks),
        checkpoints_(checkpoints),
        data_(options.min_agreement ? options.agreement_data : options.validation_data),
        calibration_(options.calibration),
        original_(recompile(model.module)) {
    found_.higher_is_better = options.min_agreement.has_value();
    found_.wish = options.min_agreement.value_or(options.max_drop.value_or(0.0));
    found_.examples = data_->size();
    found_.sites = plan.swapped();
    if (options.calibration_data) {
      calibration_.passes = 0;  // it takes long, and what it gains comes on top
      calibration_.inputs = std::min(calibration_.inputs, options.calibration_data->size());
      found_.inputs = calibration_.inputs;
    }
  }

  ChosenPlan run() {
    found_.kept = fewest_kept(found_.sites, [this](std::size_t kept) { return measure(kept); });
    std::ranges::sort(found_.points, std::less(), &PartialPoint::kept);
    if (!found_.kept) {
      throw Error(ErrorKind::accuracy, "No swap meets " + wish_in_words(found_) + " of " +
                                           counted(found_.sites, "site") +
                                           "; nothing was written. What was tried:\n" +
                                           partial_swap_table(found_));
    }
    ChosenPlan chosen{.plan = plan_of(*found_.kept), .sensitivity = sensitivity_};
    chosen.partial = std::move(found_);
    return chosen;
  }

 private:
  using Clock = std::chrono::steady_clock;

  void say(const std::string& text) const {
    if (callbacks_.on_message) {
      callbacks_.on_message(text);
    }
  }

  // The sites that cost most for the time that they save come first. Known before any is kept.
  void order_sites() {
    const auto inputs = without_targets(data_);
    const FirstExamples few(*inputs, options_.sensitivity_examples);
    say("measuring the swap of each of " + counted(found_.sites, "site") + " alone, on " +
        counted(few.size(), "input"));
    SensitivityOptions measuring;
    measuring.timing_inputs =
        options_.probe_inputs.empty() ? first_inputs(*data_) : options_.probe_inputs;
    measuring.judging.batch_size = calibration_.batch_size;
    measuring.judging.should_stop = callbacks_.should_stop;
    measuring.judging.together = options_.together;
    measuring.judging.on_run = callbacks_.on_sensitivity;
    sensitivity_ = noted<Sensitivity>(checkpoints_, key("sensitivity"), [&] {
      return measure_sensitivity(model_, plan_, few, measuring);
    });
    found_.latency_ms = sensitivity_->latency_ms;
    for (const auto i : best_first(*sensitivity_)) {
      found_.order.push_back(sensitivity_->sites[i].id);
    }
    std::ranges::reverse(found_.order);
  }

  Plan plan_of(std::size_t kept) const {
    Plan plan = plan_;
    const std::set<std::string> stay(found_.order.begin(),
                                     found_.order.begin() + static_cast<std::ptrdiff_t>(kept));
    for (auto& planned : plan.sites) {
      if (planned.target && stay.contains(planned.site.id)) {
        planned.target.reset();
        planned.reason = "kept: for " + wish_in_words(found_) +
                         "; its swap costs most for the time that it saves";
      }
    }
    return plan;
  }

  bool measure(std::size_t kept) {
    if (kept > 0 && found_.order.empty()) {
      order_sites();
      found_.points.front().saved_ms = saved_by(plan_);
    }
    const auto plan = plan_of(kept);
    const auto trial = noted<Trial>(checkpoints_, key("kept " + std::to_string(kept)),
                                    [&] { return try_swap(plan); });
    found_.measure = trial.measure;
    PartialPoint point{.kept = kept, .value = trial.value, .seconds = trial.seconds};
    point.meets = found_.higher_is_better ? point.value >= found_.wish : point.value <= found_.wish;
    point.saved_ms = saved_by(plan);
    found_.points.push_back(point);
    say(std::to_string(kept) + " of " + std::to_string(found_.sites) + " sites kept: " +
        found_.measure + " " + number(point.value) + (point.meets ? ", enough" : ", too little"));
    return point.meets;
  }

  static std::string key(const std::string& part) { return kPlanSearch + ("/" + part); }

  Trial try_swap(const Plan& plan) const {
    const auto begin = Clock::now();
    const auto judgements = judge_swap(plan);
    auto trial = value(judgements.front(), judgements.back());
    trial.seconds = seconds_since(begin);
    return trial;
  }

  std::vector<Judgement> judge_swap(const Plan& plan) const {
    const bool calibrates = options_.calibration_data != nullptr;
    Retargeter swap(model_, plan, calibrates ? Tensors::copied : Tensors::shared, BlendCode::stock);
    if (calibrates) {
      calibrate(swap, *options_.calibration_data, calibration_, options_.train.seed,
                {.should_stop = callbacks_.should_stop, .on_site = callbacks_.on_calibrated_site});
    }
    swap.set_blend(1.0);
    return judge({{original_}, {swap.module()}}, *data_,
                 {.batch_size = calibration_.batch_size,
                  .should_stop = callbacks_.should_stop,
                  .together = options_.together});
  }

  // What is no number meets no wish.
  Trial value(const Judgement& original, const Judgement& swapped) const {
    if (options_.min_agreement) {
      return {to_string(options_.agreement), value_of(options_.agreement, swapped.agreement)};
    }
    return {"drop of the " + original.evaluation->metric,
            drop(*original.evaluation, *swapped.evaluation)};
  }

  std::optional<double> saved_by(const Plan& plan) const {
    if (!sensitivity_ || !sensitivity_->latency_ms) {
      return std::nullopt;
    }
    return *sensitivity_->latency_ms - *predict(plan, *sensitivity_).latency_ms;
  }

  const Model& model_;
  const Plan& plan_;
  const ConvertOptions& options_;
  const ConvertCallbacks& callbacks_;
  RunCheckpoints& checkpoints_;
  std::shared_ptr<Dataset> data_;  // that models are measured on
  CalibrationOptions calibration_;
  torch::jit::Module original_;
  std::optional<Sensitivity> sensitivity_;
  PartialSwap found_;
};

}  // namespace

ChosenPlan choose_partial_swap(const Model& model, const Plan& plan, const ConvertOptions& options,
                               const ConvertCallbacks& callbacks, RunCheckpoints& checkpoints) {
  return PartialSwapSearch(model, plan, options, callbacks, checkpoints).run();
}

}  // namespace actswap
