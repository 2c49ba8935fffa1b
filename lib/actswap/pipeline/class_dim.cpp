#include <actswap/base/error.h>
#include <actswap/measure/score.h>
#include <actswap/pipeline/class_dim.h>
#include <actswap/run/model_run.h>
#include <actswap/train/losses.h>

#include <torch/torch.h>

#include <algorithm>
#include <numeric>
#include <vector>

namespace actswap {

namespace {

constexpr std::int64_t kExamples = 8;    // that the model is run on
constexpr std::int64_t kTargets = 1024;  // that are looked at where the data is not in memory

Example first_examples(const Dataset& data, std::int64_t count) {
  std::vector<std::int64_t> indices(static_cast<std::size_t>(std::min(count, data.size())));
  std::iota(indices.begin(), indices.end(), 0);
  return data.get(indices);
}

torch::Tensor targets_of(const Dataset& data) {
  const auto* tensors = dynamic_cast<const TensorDataset*>(&data);
  return tensors != nullptr ? tensors->target() : first_examples(data, kTargets).target();
}

bool are_below(const torch::Tensor& targets, std::int64_t classes) {
  const auto [least, most] = torch::aminmax(targets);
  return least.item<std::int64_t>() >= 0 && most.item<std::int64_t>() < classes;
}

}  // namespace

std::optional<std::int64_t> find_class_dim(const Model& model, const Dataset& data,
                                           std::optional<std::int64_t> given) {
  const auto examples = first_examples(data, kExamples);
  const auto target = examples.target();
  if (!target.defined() || !c10::isIntegralType(target.scalar_type(), /*includeBool=*/false)) {
    return std::nullopt;
  }
  const torch::NoGradGuard no_grad;
  const auto output = main_output(tensors_in(ModelRun(recompile(model.module))(examples.inputs)));
  const bool is_second = classes_second(output, target).is_same(output);
  const auto dim = given.value_or(is_second ? 1 : -1);
  try {
    cross_entropy(output, target, dim);
  } catch (const UsageError&) {
    return std::nullopt;
  }
  return are_below(targets_of(data), output.size(dim)) ? std::optional(dim) : std::nullopt;
}

}  // namespace actswap
