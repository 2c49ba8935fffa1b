// Sets inputs aside for a comparison, apart from those that a model is fitted on.
#pragma once

#include <actswap/base/export.h>
#include <actswap/data/dataset.h>

#include <cstdint>
#include <memory>

namespace actswap {

struct Split {
  std::shared_ptr<Dataset> fitted;    ///< with its targets
  std::shared_ptr<Dataset> held_out;  ///< inputs alone
};

/// Holds out as many examples as `used` leaves over, but at least a quarter of all and at most 256.
/// `seed` chooses them.
/// @param data both parts keep it alive
/// @param used how many examples the fit uses; > 0
/// @param seed the same seed holds out the same examples
/// @throws UsageError for data of fewer than two examples, or of fewer than two fixed batches
ACTSWAP_API Split hold_out(const std::shared_ptr<Dataset>& data, std::int64_t used,
                           std::uint64_t seed);

/// The same examples without their targets.
ACTSWAP_API std::shared_ptr<Dataset> without_targets(const std::shared_ptr<Dataset>& data);

}  // namespace actswap
