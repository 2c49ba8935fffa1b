// How often a run writes a checkpoint.
#pragma once

#include <actswap/base/export.h>

#include <cstdint>
#include <string>
#include <string_view>

namespace actswap {

/// At least one of the two is 0. If both are: only at the ends of phases.
struct ACTSWAP_API CheckpointInterval {
  double seconds = 600.0;  ///< >= 0
  std::int64_t steps = 0;  ///< of a training, >= 0

  /// "10min", "30s", "2h", "500steps", "0". @throws UsageError
  static CheckpointInterval parse(std::string_view text);
};
/// As parse() takes it.
ACTSWAP_API std::string to_string(const CheckpointInterval& interval);

}  // namespace actswap
