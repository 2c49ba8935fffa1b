// A measurement that ranks divide among themselves: whole batches, in their order.
#pragma once

#include <actswap/base/share.h>
#include <actswap/ranks/exchange.h>
#include <actswap/ranks/together.h>

#include <cstdint>

namespace actswap {

/// The batches that this process measures. If there are fewer batches than ranks, each rank
/// measures all.
inline Share share_of_batches(const Together& together, std::int64_t batches) {
  const auto share = together.share();
  return batches < share.count ? Share{} : share;
}

/// Gives each rank the joined results of all ranks' shares. `T` has append() and fields.
template <typename T>
T gathered(const Together& together, const Share& share, const T& own) {
  if (share.count == 1) {
    return own;
  }
  T all{};
  for (const auto& part : records_of_all(together, own)) {
    all.append(part);
  }
  return all;
}

}  // namespace actswap
