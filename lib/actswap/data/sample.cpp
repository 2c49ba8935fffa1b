#include <actswap/base/error.h>
#include <actswap/data/even_batches.h>
#include <actswap/data/sample.h>

#include <algorithm>
#include <numeric>
#include <span>
#include <string>
#include <utility>

namespace actswap {

std::vector<std::vector<torch::Tensor>> sample_inputs(const Dataset& data, std::int64_t count,
                                                      std::int64_t batch_size, std::uint64_t seed) {
  for (const auto& [name, value] : {std::pair{"count", count}, {"batch_size", batch_size}}) {
    if (value < 1) {
      throw UsageError(std::string("Expected ") + name + " > 0, but got " + std::to_string(value));
    }
  }
  auto order = shuffled_indices(data.size(), seed, 0);
  order.resize(static_cast<std::size_t>(std::min(count, data.size())));
  const std::span<const std::int64_t> indices(order);
  const auto fixed = data.fixed_batch();
  const auto examples = static_cast<std::int64_t>(indices.size());
  if (examples < fixed) {
    throw UsageError("Expected " + std::to_string(fixed) +
                     " examples or more, which the model takes at a time, but got " +
                     std::to_string(examples));
  }
  const EvenBatches even(examples, fixed > 0 ? fixed : batch_size, fixed);
  std::vector<std::vector<torch::Tensor>> batches;
  for (std::int64_t i = 0; i < even.count(); ++i) {
    const auto begin = static_cast<std::size_t>(even.begin(i));
    const auto end = static_cast<std::size_t>(even.begin(i + 1));
    batches.push_back(data.get(indices.subspan(begin, end - begin)).inputs);
  }
  return batches;
}

std::vector<torch::Tensor> InputStream::batch(std::int64_t number) const {
  const auto count = static_cast<std::int64_t>(indices_.size());
  std::vector<std::int64_t> chosen;
  chosen.reserve(static_cast<std::size_t>(batch_size_));
  const auto begin = number * batch_size_;
  for (auto i = begin + share_.begin(batch_size_); i < begin + share_.end(batch_size_); ++i) {
    chosen.push_back(indices_[static_cast<std::size_t>(i % count)]);
  }
  return data_.get(chosen).inputs;
}

std::int64_t InputStream::examples(std::int64_t batches) const {
  return std::min(batches * batch_size_, static_cast<std::int64_t>(indices_.size()));
}

std::int64_t FirstExamples::size() const {
  return std::min(count_, data_.size());
}

std::vector<torch::Tensor> first_inputs(const Dataset& data, std::int64_t count) {
  const auto at_once = data.fixed_batch() > 0 ? data.fixed_batch() : count;
  std::vector<std::int64_t> indices(static_cast<std::size_t>(std::min(at_once, data.size())));
  std::iota(indices.begin(), indices.end(), std::int64_t{0});
  return data.get(indices).inputs;
}

}  // namespace actswap
