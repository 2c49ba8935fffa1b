#include <actswap/base/error.h>
#include <actswap/graph/retarget.h>
#include <actswap/measure/sensitivity.h>

#include <torch/script.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <tuple>

namespace actswap {

namespace {

Interval loss_interval(const Judgement& original, const Judgement& swapped) {
  if (!swapped.evaluation) {
    return mean_interval(to_vector(swapped.agreement.example_errors));
  }
  return paired_difference(*original.evaluation, *swapped.evaluation);
}

double value_of(const Judgement& judgement) {
  return judgement.evaluation ? judgement.evaluation->value : judgement.agreement.relative_error;
}

double loss_of(const Judgement& original, const Judgement& swapped) {
  const double loss = original.evaluation ? drop(*original.evaluation, *swapped.evaluation)
                                          : swapped.agreement.relative_error;
  return std::isnan(loss) ? std::numeric_limits<double>::infinity() : loss;
}

double mean_loss_of(const Judgement& judgement) {
  return judgement.evaluation ? judgement.evaluation->mean_loss : 0.0;
}

class Measurement {
 public:
  Measurement(const Model& model, const Plan& plan, const Dataset& data,
              const SensitivityOptions& options)
      : model_(model), plan_(plan), data_(data), options_(options) {
    for (std::size_t i = 0; i < plan.sites.size(); ++i) {
      if (plan.sites[i].target) {
        swapped_.push_back(i);
      }
    }
  }

  Sensitivity run() {
    result_.calibrated = !options_.calibration_batches.empty();
    if (result_.calibrated) {
      judge_calibrated();
    } else {
      judge_swaps();
    }
    if (!options_.timing_inputs.empty()) {
      measure_times();
    }
    return std::move(result_);
  }

 private:
  // One module whose blends are moved: a new t recompiles nothing.
  void judge_swaps() {
    Retargeter swap(model_, plan_, Tensors::shared, BlendCode::stock);
    std::vector<Variant> variants = {{recompile(model_.module)}};
    for (const auto i : swapped_) {
      variants.push_back({swap.module(), [&swap, id = plan_.sites[i].site.id] {
                            swap.set_blend(0.0);
                            swap.set_blend(id, 1.0);
                          }});
    }
    variants.push_back({swap.module(), [&swap] { swap.set_blend(1.0); }});
    const auto judgements = judge(variants, data_, options_.judging);
    take_original(judgements.front());
    result_.all_swapped = value_of(judgements.back());
    for (std::size_t k = 0; k < swapped_.size(); ++k) {
      take(swapped_[k], judgements.front(), judgements[k + 1]);
    }
  }

  // A copy for each site, since calibration changes the layers around it.
  void judge_calibrated() {
    const auto all = judge_one(plan_);
    take_original(all.front());
    result_.all_swapped = value_of(all.back());
    for (const auto i : swapped_) {
      const auto judgements = judge_one(only(i));
      take(i, judgements.front(), judgements.back());
    }
  }

  std::vector<Judgement> judge_one(const Plan& plan) {
    Retargeter swap(model_, plan, Tensors::copied, BlendCode::stock);
    calibrate(swap.module(), options_.calibration_batches, options_.calibration,
              {.should_stop = options_.judging.should_stop});
    swap.set_blend(1.0);
    const auto total = static_cast<std::int64_t>(swapped_.size() + 1);
    JudgeOptions judging = options_.judging;
    if (judging.on_run) {
      judging.on_run = [&](std::int64_t run, std::int64_t runs) {
        options_.judging.on_run(models_ * runs + run, total * runs);
      };
    }
    auto judgements = judge({{recompile(model_.module)}, {swap.module()}}, data_, judging);
    ++models_;
    return judgements;
  }

  Plan only(std::size_t site) const {
    Plan plan = plan_;
    for (std::size_t i = 0; i < plan.sites.size(); ++i) {
      if (i != site) {
        plan.sites[i].target.reset();
      }
    }
    return plan;
  }

  void take_original(const Judgement& original) {
    result_.measure = original.evaluation ? original.evaluation->metric : "relative_error";
    result_.original = value_of(original);
    result_.examples = data_.size();
  }

  void take(std::size_t i, const Judgement& original, const Judgement& swapped) {
    const auto& planned = plan_.sites[i];
    result_.sites.push_back({.id = planned.site.id,
                             .source = planned.site.activation.to_string(),
                             .target = planned.target->to_string(),
                             .value = value_of(swapped),
                             .loss = loss_of(original, swapped),
                             .loss_half_width = loss_interval(original, swapped).half_width,
                             .mean_loss_increase = mean_loss_of(swapped) - mean_loss_of(original),
                             .agreement = swapped.agreement});
  }

  void measure_times() {
    const auto gains = measure_gains(model_, plan_, options_.timing_inputs, options_.timing_rounds,
                                     options_.judging.should_stop);
    result_.latency_ms = gains.latency_ms;
    for (auto& site : result_.sites) {
      if (const auto gain = gains.sites.find(site.id); gain != gains.sites.end()) {
        site.time = gain->second;
      }
    }
  }

  const Model& model_;
  const Plan& plan_;
  const Dataset& data_;
  const SensitivityOptions& options_;
  std::vector<std::size_t> swapped_;  // places in the plan
  std::int64_t models_ = 0;           // that were judged so far
  Sensitivity result_;
};

}  // namespace

double Sensitivity::sum_of_losses() const {
  double sum = 0.0;
  for (const auto& site : sites) {
    sum += std::max(site.loss, 0.0);
  }
  return sum;
}

Sensitivity measure_sensitivity(const Model& model, const Plan& plan, const Dataset& data,
                                const SensitivityOptions& options) {
  return Measurement(model, plan, data, options).run();
}

std::vector<std::size_t> best_first(const Sensitivity& sensitivity) {
  // Compared from left to right, smaller is better: the group, then within it.
  const auto rank = [&](std::size_t i) -> std::tuple<int, double, double> {
    const auto& site = sensitivity.sites[i];
    const double gain = site.time ? site.time->milliseconds : 0.0;
    if (!sensitivity.latency_ms) {
      return {0, site.loss, site.agreement.relative_error};
    }
    if (site.loss <= 0.0) {
      return {0, -gain, site.loss};
    }
    return gain > 0.0 ? std::tuple{1, -gain / site.loss, site.loss}
                      : std::tuple{2, site.loss, -gain};
  };
  std::vector<std::size_t> order(sensitivity.sites.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return rank(a) < rank(b); });
  return order;
}

}  // namespace actswap
