#include <actswap/base/error.h>
#include <actswap/data/fixed_batches.h>
#include <actswap/data/sample.h>
#include <actswap/measure/fixed_batch.h>
#include <actswap/run/model_run.h>

#include <torch/script.h>

#include <optional>

namespace actswap {

namespace {

class Trial {
 public:
  Trial(const Model& model, const Dataset& data)
      : run_(model.module, {.optimizes_graphs = false}), data_(data) {}

  bool has(std::int64_t examples) const { return examples >= 1 && examples <= data_.size(); }

  /// The rows of the first output: its size along dimension 0, or -1 where it has none. Nothing
  /// where the model rejects so many examples.
  std::optional<std::int64_t> rows(std::int64_t examples) {
    try {
      const auto outputs = tensors_in(run_(first_inputs(data_, examples)));
      return outputs.empty() || outputs[0].dim() == 0 ? -1 : outputs[0].size(0);
    } catch (const UsageError&) {
      return std::nullopt;
    }
  }

 private:
  ModelRun run_;
  const Dataset& data_;
};

// Of the first input that the trace was given.
std::int64_t recorded_examples(const Model& model) {
  return model.recorded_inputs.empty() || model.recorded_inputs[0].sizes.empty()
             ? 0
             : model.recorded_inputs[0].sizes[0];
}

}  // namespace

std::int64_t find_fixed_batch(const Model& model, const Dataset& data) {
  constexpr std::int64_t kFew = 2;
  if (data.fixed_batch() > 0 || data.size() < kFew) {
    return data.fixed_batch();
  }
  const torch::NoGradGuard no_grad;
  Trial trial(model, data);
  const auto recorded = recorded_examples(model);
  const auto few = trial.rows(kFew);
  if (few && (!trial.has(2 * kFew) || trial.rows(2 * kFew))) {
    const bool is_merged =
        *few != kFew && recorded != kFew && trial.has(recorded) && trial.rows(recorded) == recorded;
    return is_merged ? recorded : 0;
  }
  for (const auto examples : {recorded, std::int64_t{1}}) {
    if (trial.has(examples) && trial.rows(examples)) {
      return examples;
    }
  }
  return 0;
}

std::shared_ptr<Dataset> in_batches_of(const Model& model, const std::shared_ptr<Dataset>& data) {
  const auto fixed = data ? find_fixed_batch(model, *data) : 0;
  return fixed > 0 && data->fixed_batch() == 0 ? std::make_shared<FixedBatches>(data, fixed) : data;
}

}  // namespace actswap
