#include <actswap/base/error.h>
#include <actswap/data/loader.h>
#include <actswap/measure/judge.h>
#include <actswap/measure/nearness.h>
#include <actswap/measure/score.h>
#include <actswap/measure/shared_batches.h>
#include <actswap/run/model_run.h>
#include <actswap/train/losses.h>

#include <torch/script.h>

#include <map>

namespace actswap {

namespace {

// The form of the original's first output. Classes in the target tell where they are in it.
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

class Judging {
 public:
  Judging(const std::vector<Variant>& variants, const Dataset& data, const JudgeOptions& options)
      : variants_(variants),
        options_(options),
        loader_(data, {.batch_size = options.batch_size, .shuffle = false}),
        share_(share_of_batches(options.together, loader_.batches_per_epoch())),
        scores_(variants.size()),
        nearnesses_(variants.size()) {
    for (const auto& variant : variants) {
      run_of_.try_emplace(variant.module._ivalue().get(), variant.module);
    }
  }

  std::vector<Judgement> run() {
    const auto batches = loader_.batches_per_epoch();
    const auto first = share_.begin(batches);
    const auto end = share_.end(batches);
    runs_ = (end - first) * static_cast<std::int64_t>(variants_.size());
    if (first > 0) {  // the form is that of the first batch, on every rank
      loader_.for_each(
          0,
          [this](std::int64_t number, const Example& batch) {
            find_form(outputs_of(0, number, batch), batch);
          },
          0, 1);
    }
    loader_.for_each(
        0, [this](std::int64_t number, const Example& batch) { judge_batch(number, batch); }, first,
        end);
    std::vector<Judgement> judgements;
    for (std::size_t i = 0; i < variants_.size(); ++i) {
      auto& judgement = judgements.emplace_back();
      judgement.agreement = gathered(options_.together, share_, nearnesses_[i]).result();
      if (has_target_) {
        judgement.evaluation = gathered(options_.together, share_, scores_[i]).result();
      }
    }
    return judgements;
  }

 private:
  std::vector<torch::Tensor> outputs_of(std::size_t variant, std::int64_t number,
                                        const Example& batch) {
    if (options_.should_stop && options_.should_stop()) {
      throw Interrupted("The evaluation was stopped");
    }
    const auto& [module, prepare] = variants_[variant];
    if (prepare) {
      prepare();
    }
    return tensors_in(
        run_of_.at(module._ivalue().get())(batch.inputs, static_cast<std::uint64_t>(number)));
  }

  void find_form(const std::vector<torch::Tensor>& original, const Example& batch) {
    form_ = form_ ? form_ : form_of(main_output(original), batch.target());
  }

  void judge_batch(std::int64_t number, const Example& batch) {
    has_target_ = batch.target().defined();
    std::vector<torch::Tensor> original;
    for (std::size_t i = 0; i < variants_.size(); ++i) {
      const auto outputs = outputs_of(i, number, batch);
      if (i == 0) {
        original = outputs;
        find_form(original, batch);
      }
      nearnesses_[i].add(original, outputs, *form_);
      if (has_target_) {
        scores_[i].add(main_output(outputs), batch.target());
      }
      if (options_.on_run) {
        options_.on_run(++run_, runs_);
      }
    }
  }

  const std::vector<Variant>& variants_;
  const JudgeOptions& options_;
  Loader loader_;
  Share share_;
  std::map<const void*, ModelRun> run_of_;  // one module may be several variants
  std::vector<Score> scores_;
  std::vector<Nearness> nearnesses_;
  std::optional<OutputForm> form_;
  bool has_target_ = false;
  std::int64_t run_ = 0;
  std::int64_t runs_ = 0;
};

}  // namespace

std::vector<Judgement> judge(const std::vector<Variant>& variants, const Dataset& data,
                             const JudgeOptions& options) {
  if (variants.empty()) {
    throw UsageError("Expected models to judge, but there are none");
  }
  const torch::NoGradGuard without_gradients;
  return Judging(variants, data, options).run();
}

}  // namespace actswap
