#include <actswap/base/error.h>
#include <actswap/base/libtorch_error.h>
#include <actswap/base/out_of_memory.h>
#include <actswap/calibrate/joint_fit.h>

#include <torch/csrc/autograd/autograd.h>
#include <torch/script.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>
#include <numbers>
#include <string>

namespace actswap {

namespace {

// Trials of the rate.
constexpr double kFirstRate = 0.01;  // for an error of 1
constexpr double kFactor = 3.0;
constexpr double kHarmless = 1.25;  // times the error; shorter steps then lower it
constexpr double kLeastRate = 1e-7;
constexpr double kMostRate = 0.3;
constexpr std::int64_t kFewestSteps = 4;
constexpr std::int64_t kMostSteps = 16;
constexpr double kUsualTrials = 4.0;
// The passes.
constexpr double kWarmUp = 0.05;  // share of the steps
constexpr double kCut = 0.3;      // factor on the rate if it was too high
constexpr double kRise = 1.5;     // allowed error on inputs held out, over the best
constexpr double kBurst = 2.0;    // allowed error of a batch, over the largest of the last pass
constexpr int kMostCuts = 4;
constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr std::int64_t kPatience = 2;  // checks without a gain, at least; a quarter of all
constexpr double kShareOfTime = 0.9;   // share of the time to plan for: a machine may slow down

double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// A step's rate over the peak.
double share_at(std::int64_t step, std::int64_t steps) {
  const auto warm_up = static_cast<std::int64_t>(kWarmUp * static_cast<double>(steps));
  if (step < warm_up) {
    return static_cast<double>(step + 1) / static_cast<double>(warm_up);
  }
  const double done = static_cast<double>(step - warm_up) / static_cast<double>(steps - warm_up);
  return 0.5 * (1.0 + std::cos(std::numbers::pi * done));
}

bool all_finite(const std::vector<torch::Tensor>& tensors) {
  return std::all_of(tensors.begin(), tensors.end(), [](const torch::Tensor& tensor) {
    return !tensor.defined() || torch::isfinite(tensor).all().item<bool>();
  });
}

struct NoGradient {
  std::string cause;
};

}  // namespace

// A gradient is undefined if its tensor has no part in the error.
std::vector<torch::Tensor> JointFit::gradients_of(const torch::Tensor& error) {
  auto& scale = tensors_.loss_scale();
  for (;;) {
    std::vector<torch::Tensor> gradients;
    try {
      gradients = torch::autograd::grad({error * scale.value()}, tensors_.tensors(), {},
                                        /*retain_graph=*/scale.is_used(), /*create_graph=*/false,
                                        /*allow_unused=*/true);
    } catch (const std::exception& problem) {
      if (is_out_of_memory(problem)) {
        throw;
      }
      throw NoGradient{libtorch_cause(problem.what())};
    }
    if (!scale.is_used() || !error_.together().any(!all_finite(gradients)) || !scale.shrink()) {
      return gradients;
    }
  }
}

JointFit::Step JointFit::step(std::int64_t number, bool of_stream) {
  callbacks_.before_each_batch();
  const torch::AutoGradMode with_gradients(true);
  const RequireGradients require_gradients(tensors_.tensors());
  Step found;
  error_.for_each_part(number, of_stream, [&](const torch::Tensor& error) {
    const double scale = tensors_.loss_scale().value();
    callbacks_.around_backward();
    auto gradients = gradients_of(error);
    callbacks_.around_backward();
    found.error += error.item<double>();
    if (found.gradients.empty()) {
      found.gradients = std::move(gradients);
      return;
    }
    const double change = tensors_.loss_scale().value() / scale;
    for (std::size_t i = 0; i < gradients.size(); ++i) {
      auto& sum = found.gradients[i];
      if (change != 1.0 && sum.defined()) {
        sum = sum * change;
      }
      if (gradients[i].defined()) {
        sum = sum.defined() ? sum + gradients[i] : gradients[i];
      }
    }
  });
  error_.together().add_up(found.gradients);
  found.error = error_.together().sum(found.error);
  return found;
}

// One pass, if it has so few steps.
std::int64_t JointFit::steps_of_a_trial() const {
  return std::clamp(error_.steps_of_a_pass(), kFewestSteps, kMostSteps);
}

// False where the numbers are not finite.
bool JointFit::walk(std::int64_t steps, double rate) {
  const double begin = now();
  for (std::int64_t i = 0; i < steps; ++i) {
    const auto found = step(i, /*of_stream=*/false);
    if (!std::isfinite(found.error) || !all_finite(found.gradients)) {
      return false;
    }
    tensors_.move(found.gradients, rate * share_at(i, steps));
  }
  trial_steps_ += steps;
  trial_seconds_ += now() - begin;
  return true;
}

// The error on held-out inputs after a few steps from the start; infinity if they diverge.
double JointFit::error_of_trial(double rate, const Tensors& start) {
  tensors_.restore(start);
  const double error = walk(steps_of_a_trial(), rate) ? error_.held_out() : kInfinity;
  return std::isfinite(error) ? error : kInfinity;
}

// 0 if no rate is harmless.
double JointFit::find_rate(double error_before, const Tensors& start) {
  const auto is_harmless = [&](double rate) {
    return error_of_trial(rate, start) <= kHarmless * error_before;
  };
  double rate = std::clamp(kFirstRate * std::sqrt(error_before), kLeastRate, kMostRate);
  if (is_harmless(rate)) {
    while (rate < kMostRate && is_harmless(kFactor * rate)) {
      rate *= kFactor;
    }
  } else {
    do {
      rate /= kFactor;
    } while (rate > kLeastRate && !is_harmless(rate));
  }
  tensors_.restore(start);
  return rate > kLeastRate ? rate : 0.0;
}

void JointFit::save(const Place& place) const {
  if (callbacks_.save) {
    State state = state_of(place);
    FieldWriter{state}("tensors", tensors_);
    callbacks_.save(state);
  }
}

JointFit::Step JointFit::step_or_save(const Place& place) {
  try {
    return step(place.number, /*of_stream=*/true);
  } catch (const Interrupted&) {  // before anything moves
    save(place);
    throw;
  }
}

void JointFit::cut(Place& place) {
  tensors_.restore(place.best);
  place.rate *= kCut;
  ++place.cuts;
  place.checks_without_gain = 0;
}

void JointFit::fit(Place& place, double deadline) {
  auto& result = place.result;
  const auto steps_of_a_pass = error_.steps_of_a_pass();
  const auto steps = result.planned * steps_of_a_pass;
  const auto patience = std::max(kPatience, result.planned / 4);
  for (; place.number < steps && place.cuts <= kMostCuts; ++place.number) {
    if (callbacks_.saves_now && callbacks_.saves_now()) {
      save(place);
    }
    if (place.number % steps_of_a_pass == 0) {
      callbacks_.on_pass(place.number / steps_of_a_pass, result.planned);
      place.largest = place.largest_now;
      place.largest_now = 0.0;
    }
    const auto found = step_or_save(place);
    const bool has_burst = place.largest > 0.0 && found.error > kBurst * place.largest;
    if (!std::isfinite(found.error) || has_burst || !all_finite(found.gradients)) {
      cut(place);
    } else {
      place.largest_now = std::max(place.largest_now, found.error);
      tensors_.move(found.gradients, place.rate * share_at(place.number, steps));
    }
    const bool is_late = deadline < kInfinity && error_.together().of_first(now() - deadline) > 0.0;
    if ((place.number + 1) % steps_of_a_pass != 0 && !is_late) {
      continue;
    }
    result.passes = place.number / steps_of_a_pass + 1;
    const double error = error_.held_out();
    if (error < result.error_after) {
      result.error_after = error;
      tensors_.store(place.best);
      place.checks_without_gain = 0;
    } else if (!(error <= kRise * result.error_after) || ++place.checks_without_gain == patience) {
      cut(place);
    }
    if (is_late) {
      break;
    }
  }
  callbacks_.on_pass(result.planned, result.planned);
}

// Finds the rate and the number of passes. With a reason, or without a rate, no pass follows.
void JointFit::begin(Place& place, const JointFitLimits& limits, double begin_time) {
  auto& result = place.result;
  result.error_before = result.error_after = error_.held_out();
  if (!std::isfinite(result.error_before)) {
    result = {
        .reason =
            "what the layers give for some inputs is no finite number; leave these inputs out"};
    return;
  }
  if (!walk(steps_of_a_trial(), 0.0)) {
    result = {.reason = "a gradient is no finite number for some inputs; leave these inputs out"};
    return;
  }
  const auto seconds_of = [&](double steps) {
    return error_.together().of_first(steps * trial_seconds_ / static_cast<double>(trial_steps_));
  };
  const auto left = [&] {
    return error_.together().of_first(kShareOfTime * (begin_time + limits.seconds - now()));
  };
  const double pass = static_cast<double>(error_.steps_of_a_pass());
  const double trials = kUsualTrials * static_cast<double>(steps_of_a_trial());
  if (!limits.passes && left() < seconds_of(trials + pass)) {
    result = {.reason = "one pass and the trials before it take about " +
                        std::to_string(std::llround(std::ceil(seconds_of(trials + pass)))) +
                        " s, and the time is up (--calibrate-minutes)"};
    return;
  }
  callbacks_.on_trials(seconds_of(trials));
  place.best = tensors_.state();
  result.rate = place.rate = find_rate(result.error_before, place.best);
  if (result.rate == 0.0) {
    return;
  }
  result.planned = limits.passes.value_or(std::clamp(
      static_cast<std::int64_t>(left() / seconds_of(pass)), std::int64_t{1}, limits.most_passes));
  callbacks_.on_plan(result.planned, seconds_of(pass * static_cast<double>(result.planned)));
}

JointFitResult JointFit::run(const JointFitLimits& limits, const JointFitCallbacks& callbacks) {
  callbacks_ = callbacks;
  const double begin_time = now();
  Place place;
  bool is_begun = false;
  const auto undo = [&] {
    if (!place.best.tensors.empty()) {  // before that nothing moves
      tensors_.restore(place.best);
    }
  };
  try {
    if (callbacks.resume.is_empty()) {
      begin(place, limits, begin_time);
    } else {
      actswap::restore(place, callbacks.resume);
      actswap::restore(tensors_, callbacks.resume.part("tensors"));
    }
    if (!place.result.reason.empty() || place.result.rate == 0.0) {
      return place.result;
    }
    is_begun = true;
    fit(place, limits.passes ? kInfinity : begin_time + limits.seconds);
    tensors_.restore(place.best);
  } catch (const Interrupted&) {
    if (!is_begun) {
      undo();
      if (callbacks_.save) {
        callbacks_.save({});
      }
    }
    throw;
  } catch (const NoGradient& problem) {
    undo();
    if (place.result.passes == 0) {  // else what the passes reached stays
      return {.reason = "the model does not have a gradient: " + problem.cause};
    }
  }
  place.result.inputs = error_.inputs_of(place.result.passes * error_.steps_of_a_pass());
  return place.result;
}

}  // namespace actswap
