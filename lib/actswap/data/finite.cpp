#include <actswap/base/error.h>
#include <actswap/data/finite.h>

#include <torch/script.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

namespace actswap {

namespace {

constexpr std::int64_t kMostBytes = std::int64_t{1} << 28;
constexpr std::int64_t kLookedAtBytes = std::int64_t{1} << 22;  // bytes that are looked at together

bool can_be_infinite(const torch::Tensor& values) {
  return values.is_floating_point() || values.is_complex();
}

// One pass that needs no memory. false means only perhaps not, because a sum can overflow.
bool are_surely_finite(const torch::Tensor& values) {
  const auto parts = values.is_complex() ? torch::view_as_real(values) : values;
  const bool is_short = parts.element_size() < 4;
  const auto sum = is_short ? parts.sum(torch::kFloat32) : parts.sum();
  return std::isfinite(sum.item<double>());
}

// Nothing but 0 and minus infinity.
bool is_mask(const torch::Tensor& values) {
  return !values.is_complex() && (values.eq(0) | torch::isneginf(values)).all().item<bool>();
}

std::string place_in(const torch::Tensor& entry, std::int64_t element) {
  std::string text;
  for (std::int64_t i = entry.dim(); i-- > 0;) {
    text = std::to_string(element % entry.size(i)) + (text.empty() ? "" : ", ") + text;
    element /= entry.size(i);
  }
  return text.empty() ? text : " at [" + text + "]";
}

}  // namespace

void expect_finite(const torch::Tensor& entries, std::span<const std::int64_t> indices,
                   Infinities allowed, const std::string& what) {
  if (!can_be_infinite(entries) || entries.numel() == 0 || are_surely_finite(entries) ||
      (allowed == Infinities::of_masks && is_mask(entries))) {
    return;
  }
  const auto finite = torch::isfinite(entries).flatten();
  const auto first = finite.to(torch::kUInt8).argmin().item<std::int64_t>();
  if (finite[first].item<bool>()) {
    return;
  }
  const auto size = entries[0].numel();
  const auto number = static_cast<std::size_t>(first / size);
  const auto value = entries.flatten()[first];
  throw UsageError("Expected finite numbers in " + what + ", but example " +
                   std::to_string(indices[number]) + " holds " +
                   (torch::isnan(value).item<bool>() ? "NaN" : "an infinity") +
                   place_in(entries[0], first % size));
}

void expect_finite(const Column& column, std::int64_t size, Infinities allowed,
                   const std::string& what) {
  if (size == 0 || !column.kind().empty()) {
    return;
  }
  const std::int64_t begin = 0;
  const auto first = column.at({&begin, 1});
  const auto bytes = std::max<std::int64_t>(1, static_cast<std::int64_t>(first.nbytes()));
  if (!can_be_infinite(first) || size > kMostBytes / bytes) {
    return;
  }
  std::vector<std::int64_t> indices(
      static_cast<std::size_t>(std::max<std::int64_t>(1, kLookedAtBytes / bytes)));
  for (std::int64_t done = 0; done < size; done += static_cast<std::int64_t>(indices.size())) {
    indices.resize(std::min(indices.size(), static_cast<std::size_t>(size - done)));
    std::iota(indices.begin(), indices.end(), done);
    expect_finite(column.at(indices), indices, allowed, what);
  }
}

}  // namespace actswap
