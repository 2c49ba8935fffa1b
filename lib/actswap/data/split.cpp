#include <actswap/base/error.h>
#include <actswap/data/split.h>
#include <actswap/data/subset.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

namespace actswap {

namespace {

constexpr std::int64_t kMostHeldOut = 256;

// Keeps alive what it is a part of.
class Part : public Dataset {
 public:
  Part(std::shared_ptr<Dataset> whole, std::vector<std::int64_t> indices)
      : whole_(std::move(whole)), subset_(*whole_, std::move(indices)) {}

  std::int64_t size() const override { return subset_.size(); }
  Example get(std::span<const std::int64_t> indices) const override { return subset_.get(indices); }
  std::int64_t fixed_batch() const override { return subset_.fixed_batch(); }

 private:
  std::shared_ptr<Dataset> whole_;
  Subset subset_;
};

class Inputs : public Dataset {
 public:
  explicit Inputs(std::shared_ptr<Dataset> data) : data_(std::move(data)) {}

  std::int64_t size() const override { return data_->size(); }
  Example get(std::span<const std::int64_t> indices) const override {
    return {.inputs = data_->get(indices).inputs};
  }
  std::int64_t fixed_batch() const override { return data_->fixed_batch(); }

 private:
  std::shared_ptr<Dataset> data_;
};

}  // namespace

Split hold_out(const std::shared_ptr<Dataset>& data, std::int64_t used, std::uint64_t seed) {
  const auto size = data->size();
  const auto least = std::max<std::int64_t>(1, data->fixed_batch());
  if (size < 2 * least) {
    throw UsageError(
        "Expected " + std::to_string(2 * least) + " examples or more, to hold " +
        (least == 1 ? "some of them out" : "out as many as the model takes at a time") +
        ", but got " + std::to_string(size));
  }
  const auto count = std::clamp(std::max(size - used, size / 4), least,
                                std::max(least, std::min(kMostHeldOut, size - least)));
  auto fitted = shuffled_indices(size, seed, 0);
  std::vector<std::int64_t> held_out(fitted.end() - count, fitted.end());
  fitted.resize(static_cast<std::size_t>(size - count));
  return {.fitted = std::make_shared<Part>(data, std::move(fitted)),
          .held_out = without_targets(std::make_shared<Part>(data, std::move(held_out)))};
}

std::shared_ptr<Dataset> without_targets(const std::shared_ptr<Dataset>& data) {
  return std::make_shared<Inputs>(data);
}

}  // namespace actswap
