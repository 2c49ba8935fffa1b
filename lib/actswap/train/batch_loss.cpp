#include <actswap/base/error.h>
#include <actswap/data/loader.h>
#include <actswap/graph/eval_mode.h>
#include <actswap/graph/model.h>
#include <actswap/graph/observe.h>
#include <actswap/train/batch_loss.h>

#include <torch/torch.h>

#include <utility>

namespace actswap {

BatchLoss::BatchLoss(torch::jit::Module& module, std::optional<torch::jit::Module> teacher,
                     const TrainOptions& options)
    : module_(module),
      loss_(options.loss, {options.temperature, options.class_dim}),
      batch_size_(options.batch_size) {
  if (!options.loss.needs_original()) {
    return;
  }
  if (!teacher) {
    throw UsageError("Expected the original model for the loss " + to_string(options.loss) +
                     ", but none was given");
  }
  const auto parameters = distinct_parameters(module);
  for (const auto& theirs : teacher->parameters()) {
    for (const auto& ours : parameters) {
      if (theirs.is_same(ours)) {
        throw UsageError(
            "Expected an original model with its own parameters, but it shares some with the "
            "model to train; give a copy (actswap::reload)");
      }
    }
  }
  teacher_ = std::move(teacher);
  teacher_->eval();
}

torch::Tensor BatchLoss::operator()(const Example& batch) {
  LossInputs values;
  values.targets = batch.targets;
  const auto run = [&](torch::jit::Module& module, const std::vector<torch::Tensor>& inputs,
                       std::vector<torch::Tensor>& sites) {
    std::optional<BlendRecorder> recorder;
    if (loss_.loss().has(Signal::sites)) {
      recorder.emplace(sites);
    }
    return run_model(module, inputs);
  };
  if (teacher_) {
    const torch::NoGradGuard without_gradients;
    values.original_outputs = run(*teacher_, copy_tensors(batch.inputs), values.original_sites);
  }
  values.outputs = run(module_, batch.inputs, values.sites);
  return loss_(values);
}

double BatchLoss::mean(const Dataset& data) {
  const torch::NoGradGuard without_gradients;
  const EvalMode eval_mode(module_);
  const Loader loader(data, {.batch_size = batch_size_, .shuffle = false});
  double sum = 0.0;
  loader.for_each(0, [&](std::int64_t, const Example& batch) {
    sum += (*this)(batch).item<double>() * static_cast<double>(batch.inputs.front().size(0));
  });
  return sum / static_cast<double>(data.size());
}

}  // namespace actswap
