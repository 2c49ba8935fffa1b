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
    swept,       ///< short trainings choose it (sweep_rates)
  };

  Kind kind = Kind::fixed;
  double value = 3e-4;  ///< of Kind::fixed; > 0

  /// "calibrated", "auto" (swept) or a number. @throws UsageError for anything else, and for a
  /// number that is not finite and above 0
  static LearningRate parse(std::string_view text);
};

/// "calibrated", "auto" or the number, as parse reads it.
ACTSWAP_API std::string to_string(const LearningRate& rate);

}  // namespace actswap
