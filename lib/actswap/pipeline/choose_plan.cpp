#include <actswap/base/counted.h>
#include <actswap/base/error.h>
#include <actswap/data/sample.h>
#include <actswap/measure/sensitivity_plan.h>
#include <actswap/pipeline/choose_plan.h>
#include <actswap/pipeline/partial_swap.h>
#include <actswap/pipeline/sensitivity_request.h>

#include <sstream>

namespace actswap {

namespace {

SensitivityOptions sensitivity_options(const ConvertOptions& options,
                                       const ConvertCallbacks& callbacks) {
  auto measuring = SensitivityRequest{.validation_data = options.validation_data,
                                      .calibration_data = options.calibration_data,
                                      .calibration = options.calibration,
                                      .seed = options.train.seed,
                                      .timing_inputs = options.probe_inputs}
                       .resolved();
  measuring.judging.should_stop = callbacks.should_stop;
  measuring.judging.together = options.together;
  measuring.judging.on_run = callbacks.on_sensitivity;
  return measuring;
}

[[noreturn]] void fail_at_the_least(const Sensitivity& sensitivity, double max_drop) {
  const auto& best = sensitivity.sites[best_first(sensitivity).front()];
  std::ostringstream text;
  text << "No site can be swapped within a drop of " << max_drop << ": the best, '" << best.id
       << "', alone loses " << best.loss << " (" << sensitivity.measure << "); nothing was written";
  throw Error(ErrorKind::accuracy, text.str());
}

}  // namespace

ChosenPlan choose_plan(const Model& model, const Plan& plan, const ConvertOptions& options,
                       const ConvertCallbacks& callbacks, RunCheckpoints& checkpoints) {
  if (options.min_agreement || (options.plan_by_sensitivity && options.calibration_data)) {
    return choose_partial_swap(model, plan, options, callbacks, checkpoints);
  }
  const auto say = [&](const std::string& text) {
    if (callbacks.on_message) {
      callbacks.on_message(text);
    }
  };
  const FirstExamples data(*options.validation_data, options.sensitivity_examples);
  say("measuring the sensitivity of " + counted(plan.swapped(), "site") + " on " +
      counted(data.size(), "example"));
  ChosenPlan chosen;
  const auto sensitivity =
      measure_sensitivity(model, plan, data, sensitivity_options(options, callbacks));
  chosen.plan = options.budget_ms ? plan_within_budget(plan, sensitivity, *options.budget_ms)
                                  : plan_within_drop(plan, sensitivity, *options.max_drop);
  for (std::size_t i = 0; i < plan.sites.size(); ++i) {
    if (plan.sites[i].target && !chosen.plan.sites[i].target) {
      say(plan.sites[i].site.id + " " + chosen.plan.sites[i].reason);
    }
  }
  if (chosen.plan.swapped() == 0) {
    fail_at_the_least(sensitivity, *options.max_drop);
  }
  chosen.sensitivity = sensitivity;
  return chosen;
}

}  // namespace actswap
