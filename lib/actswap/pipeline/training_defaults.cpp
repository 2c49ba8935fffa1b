#include <actswap/pipeline/training_defaults.h>
#include <actswap/train/trainer.h>

#include <algorithm>
#include <cmath>

namespace actswap {

namespace {

constexpr double kSteps = 400.0;  // from which on labels and rate count in full, and layers do not
constexpr double kLayers = 3.0;

}  // namespace

Loss default_loss(bool has_classes, bool compares_layers, std::int64_t steps) {
  Loss loss = Signal::distil;
  if (compares_layers) {
    loss.terms.push_back({Signal::layers, kLayers});
  }
  if (has_classes) {
    // In hundredths: it is printed.
    const double weight = std::ceil(100.0 * static_cast<double>(steps) / kSteps) / 100.0;
    loss.terms.push_back({Signal::cross_entropy, std::min(1.0, weight)});
  }
  return loss;
}

bool stays_by_calibration(bool learns_labels, std::int64_t steps) {
  return !learns_labels || static_cast<double>(steps) < kSteps;
}

double default_learning_rate(double of_calibration, std::int64_t steps) {
  const double rate = std::max(TrainOptions().learning_rate, of_calibration);
  return rate * std::min(1.0, std::sqrt(static_cast<double>(steps) / kSteps));
}

}  // namespace actswap
