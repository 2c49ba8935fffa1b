#include <actswap/base/error.h>
#include <actswap/data/loader.h>
#include <actswap/graph/eval_mode.h>
#include <actswap/graph/model.h>
#include <actswap/measure/accuracy.h>
#include <actswap/train/losses.h>

#include <torch/torch.h>

#include <limits>
#include <utility>

namespace actswap {

namespace {

class Score {
 public:
  void add(const torch::Tensor& output, const torch::Tensor& target) {
    if (!target.defined()) {
      throw UsageError("Expected data with a target to evaluate on, but it has none");
    }
    if (target.is_floating_point()) {
      add_loss(mean_squared_error(output, target), target.numel());
      return;
    }
    add_loss(cross_entropy(output, target), target.numel());
    const auto classes = target.to(torch::kInt64).flatten();
    const auto hits = classes.masked_select(output.argmax(1).flatten() == classes);
    const auto width = output.size(1);
    counts_ = add_to(counts_, torch::bincount(classes, {}, width));
    hits_ = add_to(hits_, torch::bincount(hits, {}, width));
  }

  Evaluation result(std::int64_t examples) const {
    Evaluation evaluation;
    evaluation.examples = examples;
    evaluation.mean_loss = loss_ / static_cast<double>(weight_);
    if (!counts_.defined()) {
      evaluation.metric = "mse";
      evaluation.value = evaluation.mean_loss;
      return evaluation;
    }
    evaluation.metric = "accuracy";
    evaluation.value = percent(hits_.sum(), counts_.sum());
    for (std::int64_t i = 0; i < counts_.size(0); ++i) {
      evaluation.per_class.push_back(percent(hits_[i], counts_[i]));
    }
    return evaluation;
  }

 private:
  static torch::Tensor add_to(const torch::Tensor& sum, const torch::Tensor& more) {
    return sum.defined() ? sum + more : more;
  }

  static double percent(const torch::Tensor& part, const torch::Tensor& whole) {
    const auto count = whole.item<double>();
    return count > 0.0 ? 100.0 * part.item<double>() / count
                       : std::numeric_limits<double>::quiet_NaN();
  }

  // Batches weigh as many as they have targets: the last may be smaller.
  void add_loss(const torch::Tensor& mean, std::int64_t count) {
    loss_ += mean.item<double>() * static_cast<double>(count);
    weight_ += count;
  }

  double loss_ = 0.0;
  std::int64_t weight_ = 0;
  torch::Tensor counts_;  // examples of each class
  torch::Tensor hits_;    // of these, predicted rightly
};

}  // namespace

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
    score.add(main_output(run_model(module, batch.inputs)), batch.target);
  });
  return score.result(data.size());
}

}  // namespace actswap
