// bfloat16 and float16 to float32 and back, to the nearest, ties to even. Plain loops, which the
// compiler turns into vectors of each instruction set; Highway 1.0 cuts bfloat16 off instead of
// rounding it, and so float16 where the processor has no conversion.
#if defined(ACTSWAP_KERNEL_CONVERT_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef ACTSWAP_KERNEL_CONVERT_INL_H_
#undef ACTSWAP_KERNEL_CONVERT_INL_H_
#else
#define ACTSWAP_KERNEL_CONVERT_INL_H_
#endif

#include <hwy/highway.h>

#include <bit>
#include <cstddef>
#include <cstdint>

HWY_BEFORE_NAMESPACE();
namespace actswap::HWY_NAMESPACE {

constexpr std::uint32_t kSign = 0x80000000U;
constexpr std::uint32_t kFloatInfinity = 0x7F800000U;

struct Bfloat16 {
  static HWY_INLINE float widen(std::uint16_t bits) {
    return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16);
  }
  static HWY_INLINE std::uint16_t narrow(float value) {
    const auto bits = std::bit_cast<std::uint32_t>(value);
    const std::uint32_t rounded = (bits + 0x7FFFU + ((bits >> 16) & 1U)) >> 16;
    const bool is_nan = (bits & ~kSign) > kFloatInfinity;
    return static_cast<std::uint16_t>(is_nan ? 0x7FC0U : rounded);
  }
};

struct Float16 {
  static constexpr std::uint32_t kExponent = 0x7C00U;  // of infinity and NaN

  static HWY_INLINE float widen(std::uint16_t bits) {
    const std::uint32_t magnitude = bits & 0x7FFFU;
    // The exponent's bias is put right by a product, which is exact for denormals too.
    const float value = std::bit_cast<float>(magnitude << 13) * 0x1p112F;
    const std::uint32_t special = magnitude >= kExponent ? kFloatInfinity : 0U;
    const std::uint32_t sign = (static_cast<std::uint32_t>(bits) << 16) & kSign;
    return std::bit_cast<float>(std::bit_cast<std::uint32_t>(value) | special | sign);
  }
  static HWY_INLINE std::uint16_t narrow(float value) {
    const auto bits = std::bit_cast<std::uint32_t>(value);
    const std::uint32_t magnitude = bits & ~kSign;
    // Below 2^-14: adding 1/2, whose last place is 2^-24, rounds to a denormal's.
    const auto small = std::bit_cast<std::uint32_t>(std::bit_cast<float>(magnitude) + 0.5F) -
                       std::bit_cast<std::uint32_t>(0.5F);
    const std::uint32_t normal = (magnitude - (112U << 23) + 0xFFFU + ((bits >> 13) & 1U)) >> 13;
    std::uint32_t result = magnitude < (113U << 23) ? small : normal;
    result = magnitude >= (143U << 23) ? kExponent : result;
    result = magnitude > kFloatInfinity ? 0x7E00U : result;
    return static_cast<std::uint16_t>(result | ((bits & kSign) >> 16));
  }
};

template <class Format>
void widen(const std::uint16_t* from, float* to, std::size_t n) {
  for (std::size_t i = 0; i < n; ++i) {
    to[i] = Format::widen(from[i]);
  }
}

template <class Format>
void narrow(const float* from, std::uint16_t* to, std::size_t n) {
  for (std::size_t i = 0; i < n; ++i) {
    to[i] = Format::narrow(from[i]);
  }
}

}  // namespace actswap::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
