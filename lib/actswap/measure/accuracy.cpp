#include <actswap/base/counted.h>
#include <actswap/base/error.h>
#include <actswap/data/labels.h>
#include <actswap/data/loader.h>
#include <actswap/measure/accuracy.h>
#include <actswap/measure/score.h>
#include <actswap/measure/shared_batches.h>
#include <actswap/run/model_run.h>
#include <actswap/train/losses.h>

#include <torch/script.h>

namespace actswap {

namespace {

Interval paired(const torch::Tensor& a, const torch::Tensor& b) {
  const auto count = [](const torch::Tensor& each) { return each.defined() ? each.size(0) : 0; };
  if (count(a) == 0 || count(a) != count(b)) {
    throw UsageError("Expected two evaluations of the same examples, but one is of " +
                     std::to_string(count(a)) + " and one of " + std::to_string(count(b)));
  }
  return mean_interval(to_vector(a.to(torch::kFloat64) - b.to(torch::kFloat64)));
}

// Names the example of a label that is no class, which a batch does not know.
void check_labels(const torch::Tensor& output, const torch::Tensor& target, const Dataset& data) {
  if (target.defined() && output.dim() == target.dim() + 1 && output.dim() >= 2) {
    label_range(data, classes_second(output, target).size(1)).expect_classes("evaluated");
  }
}

}  // namespace

Evaluation evaluate(torch::jit::Module& module, const Dataset& data, std::int64_t batch_size,
                    const std::function<bool()>& should_stop, const Together& together) {
  const Loader loader(data, {.batch_size = batch_size, .shuffle = false});
  const torch::NoGradGuard without_gradients;
  ModelRun run(module);
  Score score;
  const auto measure = [&](std::int64_t number, const Example& batch) {
    if (should_stop && should_stop()) {
      throw Interrupted("The evaluation was stopped");
    }
    const auto outputs = tensors_in(run(batch.inputs, static_cast<std::uint64_t>(number)));
    try {
      score.add(main_output(outputs), batch.target());
    } catch (const UsageError&) {
      check_labels(main_output(outputs), batch.target(), data);
      throw;
    }
  };
  const auto batches = loader.batches_per_epoch();
  const auto share = share_of_batches(together, batches);
  loader.for_each(0, measure, share.begin(batches), share.end(batches));
  return gathered(together, share, score).result();
}

std::string doubt_numbers(const Evaluation& evaluation) {
  if (!evaluation.example_losses.defined()) {
    return "";
  }
  const auto are_nan = evaluation.example_losses.isnan();
  const auto count = are_nan.sum().item<std::int64_t>();
  if (count == are_nan.numel()) {
    throw FileError("Expected a model whose outputs are numbers, but those of all " +
                    counted(count, "example") + " hold NaN");
  }
  return count == 0 ? ""
                    : "the outputs of " + std::to_string(count) + " of " +
                          counted(are_nan.numel(), "example") + " hold NaN; the first is example " +
                          std::to_string(are_nan.to(torch::kUInt8).argmax().item<std::int64_t>());
}

double drop(const Evaluation& before, const Evaluation& after) {
  return before.higher_is_better() ? before.value - after.value : after.value - before.value;
}

std::vector<double> to_vector(const torch::Tensor& values) {
  const auto doubles = values.to(torch::kFloat64).contiguous();
  const auto* begin = doubles.data_ptr<double>();
  return {begin, begin + doubles.numel()};
}

Interval paired_difference(const Evaluation& a, const Evaluation& b) {
  return paired(a.example_values, b.example_values);
}

Interval paired_loss_difference(const Evaluation& a, const Evaluation& b) {
  return paired(a.example_losses, b.example_losses);
}

}  // namespace actswap
