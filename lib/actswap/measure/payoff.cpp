#include <actswap/base/error.h>
#include <actswap/graph/retarget.h>
#include <actswap/measure/payoff.h>
#include <actswap/run/model_run.h>

namespace actswap {

std::string to_string(Verdict verdict) {
  switch (verdict) {
    case Verdict::yes:
      return "yes";
    case Verdict::no:
      return "no";
    case Verdict::not_told_apart:
      return "not told apart";
    case Verdict::doubtful:
      return "doubtful";
  }
  return "";
}

Verdict judge_times(const Latency& swapped) {
  if (!swapped.doubt.empty()) {
    return Verdict::doubtful;
  }
  const auto& [low, high] = swapped.ratio_interval;
  return high < 1.0 ? Verdict::yes : low > 1.0 ? Verdict::no : Verdict::not_told_apart;
}

std::vector<Payoff> measure_payoff(const Model& model, const Plan& plan,
                                   const std::vector<torch::Tensor>& inputs,
                                   const LatencyOptions& options) {
  const auto swapped = Retargeter(model, plan, Tensors::shared).finish();
  ModelRun(model.module)(inputs);  // inputs that the model rejects are no matter of a setting
  std::vector<Payoff> found;
  for (const auto setting :
       {RuntimeSetting::plain, RuntimeSetting::frozen, RuntimeSetting::optimized}) {
    auto& payoff = found.emplace_back(Payoff{.setting = setting});
    try {
      const auto times = measure_latency({model.module, swapped}, inputs, setting, options);
      payoff.original = times[0];
      payoff.swapped = times[1];
      payoff.verdict = judge_times(times[1]);
    } catch (const UsageError& error) {
      payoff.failure = error.what();
    }
  }
  return found;
}

}  // namespace actswap
