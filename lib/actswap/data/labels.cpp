#include <actswap/base/error.h>
#include <actswap/data/fixed_batches.h>
#include <actswap/data/labels.h>
#include <actswap/data/loaded_data.h>

#include <torch/script.h>

#include <algorithm>
#include <numeric>
#include <vector>

namespace actswap {

namespace {

constexpr std::int64_t kTargets = 1024;  // that are looked at where they come with the inputs

}  // namespace

torch::Tensor first_targets(const Dataset& examples) {
  const auto& data = without_batches(examples);
  if (const auto* tensors = dynamic_cast<const TensorDataset*>(&data)) {
    return tensors->target();
  }
  const auto* loaded = dynamic_cast<const LoadedData*>(&data);
  const auto targets = loaded != nullptr ? loaded->target() : torch::Tensor();
  if (targets.defined()) {
    return targets;
  }
  std::vector<std::int64_t> indices(static_cast<std::size_t>(std::min(kTargets, data.size())));
  std::iota(indices.begin(), indices.end(), std::int64_t{0});
  return data.get(indices).target();
}

LabelRange label_range(const Dataset& data, std::int64_t classes) {
  LabelRange range{.classes = classes};
  const auto targets = first_targets(data);
  if (!targets.defined() || targets.numel() == 0 ||
      !c10::isIntegralType(targets.scalar_type(), /*includeBool=*/false)) {
    return range;
  }
  range.count = targets.numel();
  const auto [least, most] = torch::aminmax(targets);
  if (least.item<std::int64_t>() >= 0 && most.item<std::int64_t>() < classes) {
    return range;
  }
  const auto outside = (targets.lt(0) | targets.ge(classes)).flatten();
  const auto first = outside.to(torch::kUInt8).argmax().item<std::int64_t>();
  range.outside = outside.sum().item<std::int64_t>();
  range.example = first / (targets.numel() / targets.size(0));
  range.label = targets.flatten()[first].item<std::int64_t>();
  return range;
}

void LabelRange::expect_classes(const std::string& what) const {
  if (outside > 0) {
    throw UsageError(
        "Expected classes from 0 to " + std::to_string(classes - 1) +
        ", as many as the model's output has, but example " + std::to_string(example) + " of the " +
        what + " data has the class " + std::to_string(label) +
        (outside == 1 ? ""
                      : ", and " + std::to_string(outside - 1) + " more labels are out of range"));
  }
}

}  // namespace actswap
