#include <actswap/base/error.h>
#include <actswap/data/loader.h>
#include <actswap/graph/eval_mode.h>
#include <actswap/graph/model.h>
#include <actswap/measure/accuracy.h>
#include <actswap/measure/score.h>
#include <actswap/train/losses.h>

#include <torch/torch.h>

namespace actswap {

Evaluation evaluate(torch::jit::Module& module, const Dataset& data, std::int64_t batch_size,
                    const std::function<bool()>& should_stop) {
  const Loader loader(data, {.batch_size = batch_size, .shuffle = false});
  const torch::NoGradGuard without_gradients;
  const EvalMode eval_mode(module);
  Score score;
  loader.for_each(0, [&](std::int64_t, const Example& batch) {
    if (should_stop && should_stop()) {
      throw Interrupted("The evaluation was stopped");
    }
    score.add(main_output(run_model(module, batch.inputs)), batch.target());
  });
  return score.result();
}

double drop(const Evaluation& before, const Evaluation& after) {
  return before.higher_is_better() ? before.value - after.value : after.value - before.value;
}

Interval paired_difference(const Evaluation& a, const Evaluation& b) {
  const auto& left = a.example_values;
  const auto& right = b.example_values;
  if (!left.defined() || !right.defined() || left.sizes() != right.sizes()) {
    throw UsageError("Expected two evaluations of the same examples, but one is of " +
                     std::to_string(a.examples) + " and one of " + std::to_string(b.examples));
  }
  const auto differences = (left.to(torch::kFloat64) - right.to(torch::kFloat64)).contiguous();
  return mean_interval(
      {differences.data_ptr<double>(), static_cast<std::size_t>(differences.numel())});
}

}  // namespace actswap
