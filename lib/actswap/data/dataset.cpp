#include <actswap/base/error.h>
#include <actswap/data/dataset.h>
#include <actswap/data/random.h>

#include <numeric>
#include <string>
#include <utility>

namespace actswap {

TensorDataset::TensorDataset(std::vector<torch::Tensor> inputs, torch::Tensor target,
                             std::vector<torch::Tensor> more_targets)
    : inputs_(std::move(inputs)), targets_(std::move(more_targets)) {
  if (target.defined()) {
    targets_.insert(targets_.begin(), std::move(target));
  }
  if (inputs_.empty()) {
    throw UsageError("Expected a data set with at least one input tensor, but got none");
  }
  const auto check = [&](const torch::Tensor& tensor, const std::string& name) {
    if (!tensor.defined()) {
      throw UsageError("Expected " + name + " to be a tensor, but it is undefined");
    }
    if (tensor.dim() == 0) {
      throw UsageError("Expected " + name + " to hold one entry per example, but got a scalar");
    }
    if (tensor.size(0) != inputs_[0].size(0)) {
      throw UsageError("Expected " + name + " to have as many examples as input 0 (" +
                       std::to_string(inputs_[0].size(0)) + "), but got " +
                       std::to_string(tensor.size(0)));
    }
  };
  for (std::size_t i = 0; i < inputs_.size(); ++i) {
    check(inputs_[i], "input " + std::to_string(i));
  }
  for (std::size_t i = 0; i < targets_.size(); ++i) {
    check(targets_[i], targets_.size() == 1 ? "the target" : "target " + std::to_string(i));
  }
}

std::int64_t TensorDataset::size() const {
  return inputs_[0].size(0);
}

Example TensorDataset::get(std::span<const std::int64_t> indices) const {
  for (const std::int64_t i : indices) {
    if (i < 0 || i >= size()) {
      throw UsageError("Expected indices of examples in [0, " + std::to_string(size()) +
                       "), but got " + std::to_string(i));
    }
  }
  const auto index = torch::tensor(c10::ArrayRef<std::int64_t>(indices.data(), indices.size()));
  Example example;
  for (const auto& input : inputs_) {
    example.inputs.push_back(input.index_select(0, index));
  }
  for (const auto& target : targets_) {
    example.targets.push_back(target.index_select(0, index));
  }
  return example;
}

std::vector<std::int64_t> shuffled_indices(std::int64_t size, std::uint64_t seed,
                                           std::int64_t epoch) {
  if (size < 0) {
    throw UsageError("Expected a number of examples, but got " + std::to_string(size));
  }
  std::vector<std::int64_t> indices(static_cast<std::size_t>(size));
  std::iota(indices.begin(), indices.end(), 0);
  // The seed is mixed before the epoch joins it: seed + epoch alone would make epoch 1 of seed 0
  // the order of epoch 0 of seed 1.
  SplitMix64 random(SplitMix64(seed).next() ^ static_cast<std::uint64_t>(epoch));
  for (std::size_t i = indices.size(); i > 1; --i) {  // Fisher and Yates
    std::swap(indices[i - 1], indices[random.below(i)]);
  }
  return indices;
}

}  // namespace actswap
