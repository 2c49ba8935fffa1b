#include <actswap/base/clock.h>
#include <actswap/base/error.h>
#include <actswap/measure/latency.h>
#include <actswap/measure/median.h>
#include <actswap/measure/padded.h>
#include <actswap/measure/site_gain.h>
#include <actswap/run/observed_model.h>

#include <torch/jit.h>
#include <torch/script.h>

#include <algorithm>
#include <chrono>
#include <memory>

namespace actswap {

namespace {

using Clock = std::chrono::steady_clock;

// A function of its own in stock operators.
class Function {
 public:
  explicit Function(const std::string& expression)
      : unit_(torch::jit::compile("def f(x: Tensor) -> Tensor:\n    return " + expression + "\n")) {
  }
  double milliseconds(const torch::Tensor& x) const {
    const auto begin = Clock::now();
    const auto y = unit_->run_method("f", x);
    return milliseconds_since(begin);
  }

 private:
  std::shared_ptr<torch::jit::CompilationUnit> unit_;
};

struct Pair {
  Function source;
  Function target;
  bool is_pattern;
};

struct Times {
  double source = 0.0;  // ms, sums over the calls of a forward
  double target = 0.0;
};

// Medians of what the two take on one input. The order alternates: who is second finds the input
// in the cache.
Times time_pair(const Pair& pair, const torch::Tensor& x, int rounds) {
  constexpr int kWarmUp = 3;
  std::vector<double> source;
  std::vector<double> ratios;
  for (int round = -kWarmUp; round < rounds; ++round) {
    const bool source_first = round % 2 == 0;
    double from = source_first ? pair.source.milliseconds(x) : 0.0;
    const double to = pair.target.milliseconds(x);
    from = source_first ? from : pair.source.milliseconds(x);
    if (round >= 0) {
      source.push_back(from);
      ratios.push_back(to / from);
    }
  }
  const double middle = median(source);
  return {middle, middle * median(ratios)};
}

}  // namespace

Gains measure_gains(const Model& model, const Plan& plan, const std::vector<torch::Tensor>& inputs,
                    int rounds, const std::function<bool()>& should_stop) {
  ObservedModel observed(model);
  std::map<std::string, Pair> pairs;
  for (const auto& planned : plan.sites) {
    if (planned.target) {
      pairs.emplace(planned.site.id, Pair{Function(planned.site.activation.torchscript()),
                                          Function(planned.target->inference_torchscript()),
                                          planned.site.form == SiteForm::pattern});
    }
  }
  std::map<std::string, Times> times;
  bool stopped = false;
  SiteObserver observer;
  // Timed where the input is at hand, so that no more than one is kept. Nothing may be thrown
  // through the interpreter.
  observer.before = [&](std::size_t number, const torch::Tensor& input) {
    stopped = stopped || (should_stop && should_stop());
    const auto& id = observed.sites()[number];
    const auto pair = pairs.find(id);
    if (stopped || pair == pairs.end()) {
      return;
    }
    const torch::NoGradGuard without_gradients;  // which the model may take
    const auto taken = time_pair(pair->second, padded(input).clone(), rounds);
    times[id].source += taken.source;
    times[id].target += taken.target;
  };
  observer.after = [](std::size_t, const torch::Tensor&) {};
  observed.run(inputs, observer);
  if (stopped) {
    throw Interrupted("The measurement was stopped");
  }

  const auto costs = measure_sites(model, inputs, rounds);
  Gains gains;
  gains.latency_ms =
      measure_latency({model.module}, inputs, RuntimeSetting::plain, {.rounds = rounds})[0]
          .median_ms;
  for (const auto& [id, taken] : times) {
    SiteGain gain{.cost = costs.at(id)};
    gain.ratio = taken.target / (pairs.at(id).is_pattern ? gain.cost.milliseconds : taken.source);
    gain.milliseconds = gain.cost.share * gains.latency_ms * (1.0 - gain.ratio);
    gains.sites.emplace(id, gain);
  }
  return gains;
}

}  // namespace actswap
