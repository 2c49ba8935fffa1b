// A swap of some sites: how many have to stay on the old function for the model to be near enough.
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
  std::size_t kept = 0;                 ///< the first so many of PartialSwap::order
  double value = 0.0;                   ///< of PartialSwap::measure
  bool meets = false;                   ///< the wish
  std::optional<double> saved_ms = {};  ///< of a forward, by the times of its sites
  double seconds = 0.0;                 ///< to fit and measure it
};

struct PartialSwap {
  std::string measure = {};  ///< what value and wish are of
  double wish = 0.0;
  bool higher_is_better = true;           ///< the wish is the least value; otherwise the largest
  std::int64_t examples = 0;              ///< that each model was measured on
  std::int64_t inputs = 0;                ///< that each was calibrated on; 0: none was calibrated
  std::size_t sites = 0;                  ///< that could be swapped
  std::optional<double> latency_ms = {};  ///< of the original's forward
  std::vector<std::string> order = {};    ///< ids; the first to keep comes first
  std::vector<PartialPoint> points = {};  ///< fewer kept first
  std::optional<std::size_t> kept = {};   ///< the fewest that meet the wish; empty: none does
};

/// The fewest sites kept, from 0 to below `sites`, with which `meets` says yes, if it says yes with
/// more of them as well. It is asked at 0, and if not there some 2 log2(sites) times at most: at
/// the geometric mean of what is too few and what is enough, since the answer is usually small.
/// @return empty where none is enough
ACTSWAP_API std::optional<std::size_t> fewest_kept(
    std::size_t sites, const std::function<bool(std::size_t kept)>& meets);

}  // namespace actswap
