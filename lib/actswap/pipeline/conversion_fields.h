// The fields of what the phases of a conversion give, for its checkpoints.
#pragma once

#include <actswap/calibrate/calibration_fields.h>
#include <actswap/checkpoint/fields.h>
#include <actswap/graph/plan.h>
#include <actswap/measure/comparison.h>
#include <actswap/measure/partial_swap.h>
#include <actswap/measure/sensitivity.h>
#include <actswap/pipeline/choose_plan.h>
#include <actswap/train/rate_sweep.h>
#include <actswap/train/training_place.h>
#include <actswap/train/training_safeguard.h>

namespace actswap {

template <typename Fields>
void visit(Fields& fields, Evaluation& evaluation) {
  fields("metric", evaluation.metric);
  fields("value", evaluation.value);
  fields("mean_loss", evaluation.mean_loss);
  fields("examples", evaluation.examples);
  fields("per_class", evaluation.per_class);
  fields("mean_cosine", evaluation.mean_cosine);
  fields("example_values", evaluation.example_values);
  fields("example_losses", evaluation.example_losses);
}

template <typename Fields>
void visit(Fields& fields, Agreement& agreement) {
  fields("relative_error", agreement.relative_error);
  fields("mean_cosine", agreement.mean_cosine);
  fields("same_prediction", agreement.same_prediction);
  fields("example_errors", agreement.example_errors);
}

template <typename Fields>
void visit(Fields& fields, Judgement& judgement) {
  fields("evaluation", judgement.evaluation);
  fields("agreement", judgement.agreement);
}

template <typename Fields>
void visit(Fields& fields, SeedResult& result) {
  fields("seed", result.seed);
  fields("retargeted", result.retargeted);
  fields("control", result.control);
}

template <typename Fields>
void visit(Fields& fields, RateTrial& trial) {
  fields("rate", trial.rate);
  fields("loss", trial.loss);
}

template <typename Fields>
void visit(Fields& fields, RateSweep& sweep) {
  fields("trials", sweep.trials);
  fields("steps", sweep.steps);
  fields("held_out", sweep.held_out);
  fields("start_loss", sweep.start_loss);
  fields("chosen", sweep.chosen);
  fields("seconds", sweep.seconds);
}

template <typename Fields>
void visit(Fields& fields, TrainingEffect& effect) {
  fields("examples", effect.examples);
  fields("before", effect.before);
  fields("after", effect.after);
  fields("kept_share", effect.kept_share);
  fields("kept_loss", effect.kept_loss);
  fields("diverged", effect.diverged);
}

template <typename Fields>
void visit(Fields& fields, SiteGain& gain) {
  fields("shape", gain.cost.shape);
  fields("dtype", gain.cost.dtype);
  fields("calls", gain.cost.calls);
  fields("cost_ms", gain.cost.milliseconds);
  fields("share", gain.cost.share);
  fields("ratio", gain.ratio);
  fields("milliseconds", gain.milliseconds);
}

template <typename Fields>
void visit(Fields& fields, SiteSensitivity& site) {
  fields("id", site.id);
  fields("source", site.source);
  fields("target", site.target);
  fields("value", site.value);
  fields("loss", site.loss);
  fields("loss_half_width", site.loss_half_width);
  fields("mean_loss_increase", site.mean_loss_increase);
  fields("agreement", site.agreement);
  fields("time", site.time);
}

template <typename Fields>
void visit(Fields& fields, Sensitivity& sensitivity) {
  fields("measure", sensitivity.measure);
  fields("original", sensitivity.original);
  fields("all_swapped", sensitivity.all_swapped);
  fields("examples", sensitivity.examples);
  fields("calibrated", sensitivity.calibrated);
  fields("latency_ms", sensitivity.latency_ms);
  fields("sites", sensitivity.sites);
}

template <typename Fields>
void visit(Fields& fields, PartialPoint& point) {
  fields("kept", point.kept);
  fields("value", point.value);
  fields("meets", point.meets);
  fields("saved_ms", point.saved_ms);
  fields("seconds", point.seconds);
}

template <typename Fields>
void visit(Fields& fields, PartialSwap& partial) {
  fields("measure", partial.measure);
  fields("wish", partial.wish);
  fields("higher_is_better", partial.higher_is_better);
  fields("examples", partial.examples);
  fields("inputs", partial.inputs);
  fields("sites", partial.sites);
  fields("latency_ms", partial.latency_ms);
  fields("order", partial.order);
  fields("points", partial.points);
  fields("kept", partial.kept);
}

// What becomes of each site, of a plan for the same sites.
template <typename Fields>
void visit(Fields& fields, Plan& plan) {
  for (std::size_t i = 0; i < plan.sites.size(); ++i) {
    auto& site = plan.sites[i];
    const auto name = std::to_string(i);
    std::optional<std::string> target;
    if (site.target) {
      target = site.target->to_string();
    }
    fields(name + "/target", target);
    fields(name + "/reason", site.reason);
    site.target = target ? std::optional(resolve(*target)) : std::nullopt;
  }
}

template <typename Fields>
void visit(Fields& fields, ChosenPlan& chosen) {
  fields("plan", chosen.plan);
  fields("sensitivity", chosen.sensitivity);
  fields("partial", chosen.partial);
}

}  // namespace actswap
