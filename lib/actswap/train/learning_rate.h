// Where the peak of the learning rate comes from.
#pragma once

#include <actswap/base/export.h>

#include <string>
#include <string_view>

namespace actswap {

struct ACTSWAP_API LearningRate {
  enum class Kind {
    fixed,       ///< it is `value`
    calibrated,  ///< follows from the errors that the calibration left (default_learning_rate)
    swept,       ///< short training runs choose it (sweep_rates)
    searched,    ///< a line search from the start of the training does (search_rate)
  };

  Kind kind = Kind::fixed;
  double value = 3e-4;  ///< of Kind::fixed; > 0
  /// Of Kind::fixed: TrainOptions::is_rate_relative. A search finds such a rate.
  bool is_relative = false;

  /// "calibrated", "auto" (swept), "search", a number, or a number and "rms" (relative).
  /// @throws UsageError for anything else, and for a number that is not finite and above 0
  static LearningRate parse(std::string_view text);
};

/// "calibrated", "auto", "search" or the number, as parse reads it.
ACTSWAP_API std::string to_string(const LearningRate& rate);

}  // namespace actswap
