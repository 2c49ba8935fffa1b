#include <actswap/measure/partial_swap.h>

#include <algorithm>
#include <cmath>

namespace actswap {

std::optional<std::size_t> fewest_kept(std::size_t sites,
                                       const std::function<bool(std::size_t kept)>& meets) {
  if (sites == 0) {
    return std::nullopt;
  }
  if (meets(0)) {
    return 0;
  }
  std::size_t too_few = 0;
  std::size_t enough = sites;  // the original itself
  while (enough - too_few > 1) {
    const auto mean = std::sqrt(static_cast<double>(std::max<std::size_t>(too_few, 1)) *
                                static_cast<double>(enough));
    const auto kept =
        std::clamp(static_cast<std::size_t>(std::lround(mean)), too_few + 1, enough - 1);
    (meets(kept) ? enough : too_few) = kept;
  }
  return enough < sites ? std::optional(enough) : std::nullopt;
}

}  // namespace actswap
