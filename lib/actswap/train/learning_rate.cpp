#include <actswap/train/trainer.h>

#include <cmath>
#include <numbers>

namespace actswap {

double learning_rate_at(std::int64_t step, std::int64_t total_steps, const TrainOptions& options) {
  if (step >= total_steps) {
    return 0.0;
  }
  // The small term undoes rounding: 0.3 * 10 is meant to be 3. As warmup < 1, w < total_steps.
  const double w = std::floor(options.warmup * static_cast<double>(total_steps) * (1.0 + 1e-12));
  const auto done = static_cast<double>(step);
  if (done < w) {
    return options.learning_rate * (done + 1.0) / w;
  }
  const double u = (done - w) / (static_cast<double>(total_steps) - w);
  return options.learning_rate * 0.5 * (1.0 + std::cos(std::numbers::pi * u));
}

}  // namespace actswap
