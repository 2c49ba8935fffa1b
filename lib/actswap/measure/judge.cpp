#include <actswap/base/error.h>
#include <actswap/data/loader.h>
#include <actswap/measure/judge.h>
#include <actswap/measure/nearness.h>
#include <actswap/measure/score.h>
#include <actswap/run/model_run.h>
#include <actswap/train/losses.h>

#include <torch/script.h>

#include <map>

namespace actswap {

namespace {

// Of the original's first output. Classes in the target say where they are in it.
OutputForm form_of(const torch::Tensor& output, const torch::Tensor& target) {
  OutputHints hints;
  if (target.defined() && output.dim() > 1) {
    hints.is_regression = target.is_floating_point();
    const auto dim = classes_second(output, target).is_same(output) ? 1 : -1;
    if (!hints.is_regression && output.size(dim) > 1) {
      hints.class_dim = dim;
    }
  }
  return find_output_forms({output}, hints).front();
}

}  // namespace

std::vector<Judgement> judge(const std::vector<Variant>& variants, const Dataset& data,
                             const JudgeOptions& options) {
  if (variants.empty()) {
    throw UsageError("Expected models to judge, but there are none");
  }
  const torch::NoGradGuard without_gradients;
  std::map<const void*, ModelRun> run_of;  // one module may be several variants
  for (const auto& variant : variants) {
    run_of.try_emplace(variant.module._ivalue().get(), variant.module);
  }
  const Loader loader(data, {.batch_size = options.batch_size, .shuffle = false});
  const auto runs = loader.batches_per_epoch() * static_cast<std::int64_t>(variants.size());
  std::int64_t run = 0;
  std::vector<Score> scores(variants.size());
  std::vector<Nearness> nearnesses(variants.size());
  std::optional<OutputForm> form;
  bool has_target = false;
  loader.for_each(0, [&](std::int64_t number, const Example& batch) {
    has_target = batch.target().defined();
    std::vector<torch::Tensor> original;
    for (std::size_t i = 0; i < variants.size(); ++i) {
      if (options.should_stop && options.should_stop()) {
        throw Interrupted("The evaluation was stopped");
      }
      if (variants[i].prepare) {
        variants[i].prepare();
      }
      auto& model_run = run_of.at(variants[i].module._ivalue().get());
      const auto outputs = tensors_in(model_run(batch.inputs, static_cast<std::uint64_t>(number)));
      if (i == 0) {
        original = outputs;
        form = form ? form : form_of(main_output(original), batch.target());
      }
      nearnesses[i].add(original, outputs, *form);
      if (has_target) {
        scores[i].add(main_output(outputs), batch.target());
      }
      if (options.on_run) {
        options.on_run(++run, runs);
      }
    }
  });
  std::vector<Judgement> judgements(variants.size());
  for (std::size_t i = 0; i < variants.size(); ++i) {
    judgements[i].agreement = nearnesses[i].result();
    if (has_target) {
      judgements[i].evaluation = scores[i].result();
    }
  }
  return judgements;
}

}  // namespace actswap
