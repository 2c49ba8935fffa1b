#include <actswap/base/error.h>
#include <actswap/train/trainer.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <sstream>
#include <utility>

namespace actswap {

namespace {

constexpr std::array<std::pair<OptimizerKind, const char*>, 2> kOptimizers = {
    {{OptimizerKind::sgd, "sgd"}, {OptimizerKind::adamw, "adamw"}}};

// Keeps epochs * batches far inside the range of std::int64_t.
constexpr double kMostEpochs = 1e9;

template <typename Value>
void expect(bool fits, const char* range, Value found) {
  if (!fits) {
    std::ostringstream text;
    text << "Expected " << range << ", but got " << found;
    throw UsageError(text.str());
  }
}

}  // namespace

OptimizerKind parse_optimizer(std::string_view name) {
  for (const auto& [kind, text] : kOptimizers) {
    if (name == text) {
      return kind;
    }
  }
  throw UsageError("Unknown optimizer '" + std::string(name) + "'; expected sgd or adamw");
}

std::string to_string(OptimizerKind kind) {
  for (const auto& [known, text] : kOptimizers) {
    if (kind == known) {
      return text;
    }
  }
  return "";
}

std::string to_string(Keep keep) {
  return keep == Keep::best ? "best" : "last";
}

std::int64_t TrainOptions::batches_per_epoch(std::int64_t examples) const {
  return std::max<std::int64_t>(1, examples / batch_size);
}

std::int64_t TrainOptions::steps(std::int64_t examples) const {
  const double found = epochs * static_cast<double>(batches_per_epoch(examples));
  // A fraction of epochs times batches may miss a whole number by its last digit.
  return std::max<std::int64_t>(1, static_cast<std::int64_t>(std::ceil(found * (1.0 - 1e-12))));
}

// Every comparison is false for NaN, so that NaN is refused as well.
void TrainOptions::validate() const {
  const auto positive = [](double value) { return std::isfinite(value) && value > 0.0; };
  const auto not_negative = [](double value) { return std::isfinite(value) && value >= 0.0; };
  const auto share = [](double value) { return value >= 0.0 && value < 1.0; };
  expect(epochs > 0.0 && epochs <= kMostEpochs, "epochs > 0 and <= 1e9", epochs);
  expect(batch_size > 0, "batch_size > 0", batch_size);
  loss.validate();
  if (loss.has(Signal::layers) && !keeps_statistics) {
    throw UsageError(
        "Expected batch norms to keep their statistics (--batch-norm running) with the loss "
        "layers, which runs both models as in eval mode");
  }
  expect(positive(temperature), "temperature > 0", temperature);
  expect(positive(learning_rate), "learning_rate > 0", learning_rate);
  expect(share(momentum), "momentum in [0, 1)", momentum);
  expect(not_negative(weight_decay), "weight_decay >= 0", weight_decay);
  expect(not_negative(clip_norm), "clip_norm >= 0", clip_norm);
  expect(share(warmup), "warmup in [0, 1)", warmup);
  expect(share(average), "average in [0, 1)", average);
  expect(check_every >= 0.0 && check_every <= kMostEpochs, "check_every >= 0 and <= 1e9",
         check_every);
  expect(patience >= 0, "patience >= 0", patience);
  expect(retries >= 0, "retries >= 0", retries);
  expect(!bound || not_negative(*bound), "bound >= 0", bound.value_or(0.0));
  expect(class_dim != 0, "class_dim other than 0, the examples", class_dim);
}

}  // namespace actswap
