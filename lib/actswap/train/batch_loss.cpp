#include <actswap/base/error.h>
#include <actswap/data/loader.h>
#include <actswap/graph/eval_mode.h>
#include <actswap/graph/gradients.h>
#include <actswap/graph/kept_state.h>
#include <actswap/graph/model.h>
#include <actswap/graph/observe.h>
#include <actswap/run/joined_runs.h>
#include <actswap/run/model_run.h>
#include <actswap/run/random_numbers.h>
#include <actswap/train/batch_loss.h>

#include <torch/script.h>

#include <algorithm>
#include <utility>

namespace actswap {

namespace {

// An infinity is a mask's.
void set_to_zero(std::vector<torch::Tensor>& values) {
  for (auto& value : values) {
    if (value.is_floating_point() || value.is_complex()) {
      value = torch::where(torch::isinf(value), value, torch::zeros_like(value));
    }
  }
}

void detach(std::vector<torch::Tensor>& values) {
  for (auto& value : values) {
    value = value.detach();
  }
}

}  // namespace

BatchLoss::BatchLoss(torch::jit::Module& module, std::optional<torch::jit::Module> teacher,
                     const TrainOptions& options)
    : module_(module),
      loss_(options.loss, {options.temperature, options.class_dim, options.outputs}),
      batch_size_(options.batch_size),
      takes_gradients_(takes_gradients(module)) {
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
  teachers_state_.emplace(*teacher_);
  if (options.loss.has(Signal::layers)) {
    layers_.emplace(module, *teacher_, options.kept);
  }
}

BatchLoss::Given BatchLoss::run_once(Which which, const std::vector<torch::Tensor>& inputs) {
  Given given;
  std::optional<BlendRecorder> recorder;
  if (loss_.loss().has(Signal::sites)) {
    recorder.emplace(given.sites);
  }
  if (layers_) {
    given.values = layers_->run(which, inputs);
  } else {
    given.values.outputs = run_model(which == Which::original ? *teacher_ : module_, inputs);
  }
  return given;
}

BatchLoss::Given BatchLoss::run(Which which, const std::vector<torch::Tensor>& inputs,
                                std::int64_t examples) {
  const auto size = inputs.front().size(0);
  if (examples == 0 || examples >= size) {
    return run_once(which, inputs);
  }
  Given all;
  for (std::int64_t begin = 0; begin < size; begin += examples) {
    std::vector<torch::Tensor> some;
    for (const auto& input : inputs) {
      some.push_back(input.narrow(0, begin, std::min(examples, size - begin)));
    }
    const auto given = run_once(which, some);
    append_outputs(all.values.outputs, given.values.outputs);
    append_values(all.values.layers, given.values.layers);
    append_values(all.sites, given.sites);
  }
  return all;
}

LossInputs BatchLoss::run(const Example& batch, Answer answer, std::int64_t examples,
                          const Together& together) {
  LossInputs values;
  values.together = together;
  Given theirs;
  // The order tells the sites: both models have to take the same way, and a transformer encoder
  // takes another one without gradients.
  const bool has_sites = loss_.loss().has(Signal::sites);
  if (teacher_) {
    // Both draw the same random numbers, where they draw some, and others in the next step.
    const RandomPosition begin;
    const torch::AutoGradMode gradients(has_sites || takes_gradients_);
    theirs = run(Which::original, copy_tensors(batch.inputs), examples);
    for (auto* found : {&theirs.values.outputs, &theirs.values.layers, &theirs.sites}) {
      detach(*found);
    }
    teachers_state_->restore();
    begin.take_up();
  }
  auto ours = run(Which::fitted, batch.inputs, examples);
  if (answer == Answer::zeros) {
    set_to_zero(ours.values.outputs);
    set_to_zero(ours.values.layers);
    set_to_zero(ours.sites);
  }
  if (layers_) {
    values.layer_error = layers_->error(ours.values, theirs.values, together);
  }
  values.outputs = std::move(ours.values.outputs);
  values.original_outputs = std::move(theirs.values.outputs);
  values.sites = std::move(ours.sites);
  values.original_sites = std::move(theirs.sites);
  values.targets = batch.targets;
  return values;
}

torch::Tensor BatchLoss::operator()(const Example& batch, std::int64_t examples,
                                    const Together& together) {
  return loss_(run(batch, Answer::models, examples, together));
}

double BatchLoss::mean(const Dataset& data) {
  return mean(data, Answer::models);
}

double BatchLoss::mean_of_zeros(const Dataset& data) {
  return mean(data, Answer::zeros);
}

// With gradients, as in training: a model that looks whether there are any takes the same way.
double BatchLoss::mean(const Dataset& data, Answer answer) {
  const torch::AutoGradMode with_gradients(true);
  const KeptState kept(module_);
  const RandomNumbers numbers(0);
  const EvalMode eval_mode(module_);
  const Loader loader(data, {.batch_size = batch_size_, .shuffle = false, .joins_fixed = true});
  std::int64_t seen = 0;
  double sum = 0.0;
  loader.for_each(0, [&](std::int64_t, const Example& batch) {
    const auto size = batch.inputs.front().size(0);
    sum += loss_(run(batch, answer, data.fixed_batch())).item<double>() * static_cast<double>(size);
    seen += size;
  });
  return sum / static_cast<double>(seen);
}

}  // namespace actswap
