#include <actswap/base/error.h>
#include <actswap/data/even_batches.h>
#include <actswap/measure/score.h>
#include <actswap/pipeline/model_outputs.h>
#include <actswap/run/model_run.h>
#include <actswap/train/batch_loss.h>
#include <actswap/train/losses.h>
#include <actswap/train/trainable.h>

#include <torch/script.h>

#include <algorithm>
#include <numeric>

namespace actswap {

namespace {

constexpr std::int64_t kExamples = 64;  // that the model is run on
constexpr std::int64_t kBatch = 8;      // at a time, and of a loss that is tried

Example examples_of(const Dataset& data, std::int64_t begin, std::int64_t end) {
  std::vector<std::int64_t> indices(static_cast<std::size_t>(end - begin));
  std::iota(indices.begin(), indices.end(), begin);
  return data.get(indices);
}

Example first_examples(const Dataset& data, std::int64_t count) {
  const auto fixed = data.fixed_batch();
  return examples_of(data, 0, std::min(fixed > 0 ? fixed : count, data.size()));
}

// The dimension of the classes, where the target has one number for each place of the output.
std::optional<std::int64_t> find_class_dim(const torch::Tensor& output, const torch::Tensor& target,
                                           std::optional<std::int64_t> given) {
  if (!target.defined() || !c10::isIntegralType(target.scalar_type(), /*includeBool=*/false)) {
    return std::nullopt;
  }
  const bool is_second = classes_second(output, target).is_same(output);
  const auto dim = given.value_or(is_second ? 1 : -1);
  try {
    cross_entropy(output, torch::zeros_like(target), dim);
  } catch (const UsageError&) {
    return std::nullopt;
  }
  return dim;
}

// One after another in dimension 0; those of another shape are left out.
void append(std::vector<torch::Tensor>& all, const std::vector<torch::Tensor>& more) {
  for (std::size_t i = 0; i < std::min(all.size(), more.size()); ++i) {
    if (all[i].dim() > 0 && all[i].dim() == more[i].dim() &&
        all[i].sizes().slice(1) == more[i].sizes().slice(1)) {
      all[i] = torch::cat({all[i], more[i]});
    }
  }
}

}  // namespace

ModelOutputs look_at_outputs(const Model& model, const Dataset& data,
                             std::optional<std::int64_t> class_dim) {
  const torch::NoGradGuard no_grad;
  ModelRun run(recompile(model.module));
  std::vector<torch::Tensor> outputs;
  ModelOutputs found;
  OutputHints hints{.class_dim = class_dim, .is_of_all = class_dim.has_value()};
  const auto last = std::min(std::max(kExamples, data.fixed_batch()), data.size());
  const auto fixed = data.fixed_batch();
  const EvenBatches batches(last, fixed > 0 ? fixed : kBatch, fixed);
  for (std::int64_t i = 0; i < batches.count(); ++i) {
    const auto begin = batches.begin(i);
    const auto batch = examples_of(data, begin, batches.begin(i + 1));
    const auto given = tensors_in(run(batch.inputs));
    if (begin > 0) {
      append(outputs, given);
      continue;
    }
    outputs = given;
    const auto target = batch.target();
    const auto& main = main_output(outputs);
    if (const auto dim = find_class_dim(main, target, class_dim)) {
      found.labels = label_range(data, main.size(*dim));
      found.class_dim = found.labels.outside == 0 ? dim : std::nullopt;
    }
    hints.class_dim = class_dim ? class_dim : found.class_dim;
    hints.is_regression =
        target.defined() && target.is_floating_point() && target.sizes() == main.sizes();
  }
  found.forms = find_output_forms(outputs, hints);
  return found;
}

void check_loss(const Model& model, const Dataset& data, const TrainOptions& options) {
  auto trial = options;
  std::erase_if(trial.loss.terms, [](const Term& term) {
    return term.signal == Signal::sites || term.signal == Signal::layers;
  });
  if (trial.loss.terms.empty()) {
    return;
  }
  const torch::NoGradGuard no_grad;
  auto module = reload(model.module);
  module.train();
  if (options.keeps_statistics) {
    keep_statistics(module);
  }
  const auto batch = first_examples(data, std::min(kBatch, options.batch_size));
  BatchLoss(module, recompile(model.module), trial)(batch);
}

}  // namespace actswap
