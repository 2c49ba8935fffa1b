// Vector arithmetic of the kernels in single precision: exp, a quotient, expm1, log1p, the normal
// distribution. Included once for each instruction set (see blend_kernel.cpp); not installed.
//
// Everything lets NaN through. Errors, in units in the last place over all inputs, are measured by
// bench/kernel/ulp.cpp. The coefficients come out of bench/kernel/coefficients.py.
#if defined(ACTSWAP_KERNEL_MATH_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef ACTSWAP_KERNEL_MATH_INL_H_
#undef ACTSWAP_KERNEL_MATH_INL_H_
#else
#define ACTSWAP_KERNEL_MATH_INL_H_
#endif

#include <hwy/highway.h>

#include <limits>

HWY_BEFORE_NAMESPACE();
namespace actswap::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

// Vectors, whatever their width: a tag of all lanes, which costs nothing to make.
using Tag = hn::ScalableTag<float>;
using IntTag = hn::RebindToSigned<Tag>;
using Vector = hn::Vec<Tag>;

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kLargest = std::numeric_limits<float>::max();
// e^-104 rounds to 0, the smallest denormal being e^-103.28.
constexpr float kExpZero = -104.0F;
// So does the normal distribution at -14.5.
constexpr float kNormalEnd = 14.5F;

HWY_INLINE Vector constant(float value) {
  return hn::Set(Tag(), value);
}

// The order of the arguments lets NaN through on x86, which answers with the second one; Arm lets
// it through in any order.
HWY_INLINE Vector at_least(float bound, Vector x) {
#if HWY_TARGET == HWY_EMU128 || HWY_TARGET == HWY_SCALAR
  return hn::IfThenElse(hn::Lt(x, constant(bound)), constant(bound), x);
#else
  return hn::Max(constant(bound), x);
#endif
}
HWY_INLINE Vector at_most(float bound, Vector x) {
#if HWY_TARGET == HWY_EMU128 || HWY_TARGET == HWY_SCALAR
  return hn::IfThenElse(hn::Gt(x, constant(bound)), constant(bound), x);
#else
  return hn::Min(constant(bound), x);
#endif
}

// In [-bound, bound].
HWY_INLINE Vector within(float bound, Vector x) {
  return at_most(bound, at_least(-bound, x));
}

HWY_INLINE Vector minus_abs(Vector x) {
  return hn::Or(x, hn::SignBit(Tag()));
}

// p 2^k for k in [-151, 126], exact but for one rounding where the result is denormal.
HWY_INLINE Vector scale(Vector p, Vector k) {
#if HWY_TARGET <= HWY_AVX3
  return Vector{_mm512_scalef_ps(p.raw, k.raw)};
#else
  // In two steps: 2^-150 is not a float.
  const IntTag di;
  const auto exponent = hn::ConvertTo(di, k);
  const auto half = hn::ShiftRight<1>(exponent);
  const auto power = [&](auto e) HWY_ATTR {
    return hn::BitCast(Tag(), hn::ShiftLeft<23>(hn::Add(e, hn::Set(di, 127))));
  };
  return hn::Mul(hn::Mul(p, power(half)), power(hn::Sub(exponent, half)));
#endif
}

// n / d for finite n, and d finite and at least 2^-100.
HWY_INLINE Vector quotient(Vector n, Vector d) {
#if HWY_TARGET <= HWY_AVX3
  // The estimate has 14 bits on every processor; a step of Newton's on the quotient gives the rest.
  const Vector r = hn::ApproximateReciprocal(d);
  const Vector q = hn::Mul(n, r);
  return hn::MulAdd(hn::NegMulAdd(q, d, n), r, q);
#else
  return hn::Div(n, d);
#endif
}

HWY_INLINE Vector reciprocal(Vector d) {
#if HWY_TARGET <= HWY_AVX3
  const Vector r = hn::ApproximateReciprocal(d);
  return hn::MulAdd(hn::NegMulAdd(r, d, constant(1.0F)), r, r);
#else
  return hn::Div(constant(1.0F), d);
#endif
}

// x = k ln 2 + r, |r| <= ln(2) / 2
struct Reduced {
  Vector k;
  Vector r;
};

// For |x| < 2^21.
HWY_INLINE Reduced reduce(Vector x) {
  // Adding 1.5 2^23 rounds to a whole number.
  const Vector rounder = constant(12582912.0F);
  const Vector k = hn::Sub(hn::MulAdd(x, constant(1.44269504F), rounder), rounder);
  // ln 2 in two parts, of which the first has 9 bits: its product with k is exact.
  const Vector r = hn::NegMulAdd(k, constant(0.693359375F), x);
  return {k, hn::NegMulAdd(k, constant(-2.12194440e-4F), r)};
}

// e^r 2^k
HWY_INLINE Vector exp(Reduced x) {
  Vector p = constant(8.31252505e-3F);
  p = hn::MulAdd(p, x.r, constant(4.18901134e-2F));
  p = hn::MulAdd(p, x.r, constant(1.66671145e-1F));
  p = hn::MulAdd(p, x.r, constant(4.99992318e-1F));
  p = hn::MulAdd(p, x.r, constant(1.0F));
  return scale(hn::MulAdd(p, x.r, constant(1.0F)), x.k);
}

// For x in [-104, 87].
HWY_INLINE Vector exp(Vector x) {
  return exp(reduce(x));
}

// e^x - 1 for x in [-104, 87].
HWY_INLINE Vector expm1(Vector x) {
  const Reduced reduced = reduce(x);
  const Vector r = reduced.r;
  // e^r - 1 = r p(r), to more digits than e^r: nothing is added to it where k = 0
  Vector p = constant(1.38825170e-3F);
  p = hn::MulAdd(p, r, constant(8.36651426e-3F));
  p = hn::MulAdd(p, r, constant(4.16671997e-2F));
  p = hn::MulAdd(p, r, constant(1.66665437e-1F));
  p = hn::MulAdd(p, r, constant(4.99999982e-1F));
  p = hn::MulAdd(hn::Mul(p, r), r, r);
  const Vector power = scale(constant(1.0F), reduced.k);
  return hn::MulAdd(p, power, hn::Sub(power, constant(1.0F)));
}

// log(1 + z) for z in [0, 1].
HWY_INLINE Vector log1p(Vector z) {
  Vector p = constant(5.23268788e-3F);
  p = hn::MulAdd(p, z, constant(-2.95052132e-2F));
  p = hn::MulAdd(p, z, constant(7.82259102e-2F));
  p = hn::MulAdd(p, z, constant(-1.36632423e-1F));
  p = hn::MulAdd(p, z, constant(1.91060051e-1F));
  p = hn::MulAdd(p, z, constant(-2.48429818e-1F));
  p = hn::MulAdd(p, z, constant(3.33190968e-1F));
  p = hn::MulAdd(p, z, constant(-4.99994931e-1F));
  p = hn::MulAdd(p, z, constant(9.99999970e-1F));
  return hn::Mul(p, z);
}

// e^(-x^2/2) for |x| <= 14.5.
HWY_INLINE Vector exp_minus_half_square(Vector x) {
  // The square is wanted to more digits than it has: at -14 its rounding would cost 50 units.
#if HWY_NATIVE_FMA
  const Vector minus_half = hn::Mul(x, constant(-0.5F));
  const Vector square = hn::Mul(minus_half, x);
  const Vector rest = hn::MulSub(minus_half, x, square);
#else
  const auto upper = hn::BitCast(Tag(), hn::Set(IntTag(), -4096));  // 12 bits: exact when squared
  const Vector head = hn::And(x, upper);
  const Vector square = hn::Mul(hn::Mul(head, head), constant(-0.5F));
  const Vector rest = hn::Mul(hn::Mul(hn::Sub(x, head), hn::Add(x, head)), constant(-0.5F));
#endif
  Reduced reduced = reduce(square);
  reduced.r = hn::Add(reduced.r, rest);
  return exp(reduced);
}

// Phi(-a) e^(a^2/2) for a in [0, 14.5], Phi the distribution function of N(0, 1).
HWY_INLINE Vector scaled_normal_tail(Vector a) {
  // r p(a r - 1.3125), r = 1 / (1 + a / 3.25): r alone would lose digits where a is small, and
  // the middle of its range is where a polynomial's terms cancel least
  const Vector r = reciprocal(hn::MulAdd(a, constant(1.0F / 3.25F), constant(1.0F)));
  const Vector w = hn::MulSub(a, r, constant(1.3125F));
  Vector p = constant(-9.47052956e-06F);
  p = hn::MulAdd(p, w, constant(3.76942159e-06F));
  p = hn::MulAdd(p, w, constant(0.000236537804F));
  p = hn::MulAdd(p, w, constant(-0.000318739675F));
  p = hn::MulAdd(p, w, constant(-0.00563391629F));
  p = hn::MulAdd(p, w, constant(0.0373770762F));
  p = hn::MulAdd(p, w, constant(-0.123833904F));
  p = hn::MulAdd(p, w, constant(0.262126357F));
  return hn::Mul(p, r);
}

// With z = e^-|u| and r = 1 / (1 + z) the sigmoid is r for u >= 0 and z r for u < 0; no digit is
// lost on either side.
HWY_INLINE Vector exp_minus_abs(Vector u) {
  return exp(at_least(kExpZero, minus_abs(u)));
}

HWY_INLINE Vector sigmoid(Vector u) {
  const Vector one = constant(1.0F);
  const Vector z = exp_minus_abs(u);
  return quotient(hn::IfNegativeThenElse(u, z, one), hn::Add(z, one));
}

struct SigmoidPair {
  Vector value;
  Vector slope;    // s (1 - s) = z r^2
  Vector bounded;  // u within [-104, 104], beyond which the slope is 0
};

HWY_INLINE SigmoidPair sigmoid_pair(Vector u) {
  const Vector a = at_least(kExpZero, minus_abs(u));
  const Vector z = exp(a);
  const Vector r = reciprocal(hn::Add(z, constant(1.0F)));
  const Vector zr = hn::Mul(z, r);
  return {hn::IfNegativeThenElse(u, zr, r), hn::Mul(zr, r), hn::CopySign(a, u)};
}

// tanh(u) = -m / (m + 2), m = e^(-2|u|) - 1, with the sign of u.
HWY_INLINE Vector tanh(Vector u) {
  const Vector m = expm1(at_least(kExpZero, hn::Mul(minus_abs(u), constant(2.0F))));
  return hn::CopySign(quotient(m, hn::Add(m, constant(2.0F))), u);
}

}  // namespace actswap::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
