#include <actswap/pipeline/training_defaults.h>
#include <actswap/train/trainer.h>

#include <algorithm>
#include <cmath>

namespace actswap {

namespace {

constexpr double kSteps = 400.0;  // from which on labels and rate count in full, and layers do not
constexpr double kLayers = 3.0;
constexpr double kLabelFreeSteps = 128.0;
constexpr std::int64_t kFewestToHoldOutOf = 32;

}  // namespace

Signal default_comparison(const std::vector<OutputForm>& outputs) {
  const auto is_learnt = [](const OutputForm& form) { return form.kind != OutputKind::ignored; };
  const auto first = std::ranges::find_if(outputs, is_learnt);
  const bool is_logits = std::ranges::count_if(outputs, is_learnt) == 1 &&
                         first == outputs.begin() && first->kind == OutputKind::logits;
  return is_logits ? Signal::distil : Signal::outputs;
}

Loss default_loss(Signal comparison, bool has_classes, bool compares_layers, std::int64_t steps) {
  Loss loss = comparison;
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

std::int64_t default_held_out(std::int64_t examples, double epochs) {
  if (examples < kFewestToHoldOutOf) {
    return 0;
  }
  const auto share =
      static_cast<std::int64_t>(static_cast<double>(examples) * std::min(epochs, 8.0) / 32.0);
  return std::min(std::clamp<std::int64_t>(share, 8, 256), examples / 4);
}

std::int64_t default_batch_size(bool learns_labels, std::int64_t examples, double epochs) {
  const auto usual = TrainOptions().batch_size;
  if (learns_labels) {
    return usual;
  }
  const double found = static_cast<double>(examples) * epochs / kLabelFreeSteps;
  return std::max<std::int64_t>(
      8, found < static_cast<double>(usual) ? static_cast<std::int64_t>(found) : usual);
}

}  // namespace actswap
