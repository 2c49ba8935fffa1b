// A swap of some sites: how many must keep the old function for the model to be near enough.
#pragma once

#include <actswap/base/export.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace actswap {

/// A model with some sites kept, as it was measured.
struct PartialPoint {
  std::size_t kept = 0;                 ///< how many are kept, the first of PartialSwap::order
  double value = 0.0;                   ///< of PartialSwap::measure
  bool meets = false;                   ///< whether it meets the goal
  std::optional<double> saved_ms = {};  ///< saved in a forward, by the times of its sites
  double seconds = 0.0;                 ///< to fit and measure it
};

struct PartialSwap {
  std::string measure = {};  ///< the measure of values and goal
  double wish = 0.0;
  bool higher_is_better = true;           ///< the goal is the least value; otherwise the largest
  std::int64_t examples = 0;              ///< on which each model was measured
  std::int64_t inputs = 0;                ///< on which each was calibrated; 0: none was calibrated
  std::size_t sites = 0;                  ///< that could be swapped
  std::optional<double> latency_ms = {};  ///< of the original's forward
  std::vector<std::string> order = {};    ///< ids; the first to keep comes first
  std::vector<PartialPoint> points = {};  ///< fewer kept first
  std::optional<std::size_t> kept = {};   ///< the fewest that meet the goal; empty: none does
};

/// The fewest kept sites, from 0 to below `sites`, for which `meets` is true, if it stays true with
/// more. Asks at 0 and, if that fails, some 2 log2(sites) times at most: at the geometric mean of a
/// number that is too small and one that is enough, since the answer is usually small.
/// @return empty if no number is enough
ACTSWAP_API std::optional<std::size_t> fewest_kept(
    std::size_t sites, const std::function<bool(std::size_t kept)>& meets);

}  // namespace actswap
