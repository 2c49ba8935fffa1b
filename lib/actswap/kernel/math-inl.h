// Vector arithmetic of the kernels in single precision: e^u as a fraction, and its uses.
// Included once for each instruction set (see blend_float.cpp); not installed.
//
// The units that multiply limit the kernels: on today's processors a product, a comparison or a
// step of a polynomial costs more than a sum, a maximum or integer arithmetic, which run beside
// them. So e^u is a fraction of short polynomials, which costs no quotient that the row does not
// need anyway, and powers of two are integers added to exponents.
//
// Everything lets NaN through unless it says otherwise. Errors, in units in the last place over all
// inputs, are measured by bench/kernel/ulp.cpp. The coefficients come out of
// bench/kernel/coefficients.py.
#if defined(ACTSWAP_KERNEL_MATH_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef ACTSWAP_KERNEL_MATH_INL_H_
#undef ACTSWAP_KERNEL_MATH_INL_H_
#else
#define ACTSWAP_KERNEL_MATH_INL_H_
#endif

#include <hwy/highway.h>

#include <limits>
#include <numbers>

HWY_BEFORE_NAMESPACE();
namespace actswap::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

// Vectors, whatever their width: a tag of all lanes, which costs nothing to make.
using Tag = hn::ScalableTag<float>;
using IntTag = hn::RebindToSigned<Tag>;
using Vector = hn::Vec<Tag>;
using IntVector = hn::Vec<IntTag>;

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kLargest = std::numeric_limits<float>::max();
// 112 e^-112 rounds to 0: half of the smallest denormal is e^-103.97.
constexpr double kExpZero = 112.0;

HWY_INLINE Vector constant(float value) {
  return hn::Set(Tag(), value);
}

// NaN passes: x86's maximum answers with the second argument then, that of others with the number.
HWY_INLINE Vector at_least(float bound, Vector x) {
#if HWY_ARCH_X86 && HWY_TARGET != HWY_EMU128 && HWY_TARGET != HWY_SCALAR
  return hn::Max(constant(bound), x);
#else
  return hn::IfThenElse(hn::Lt(x, constant(bound)), constant(bound), x);
#endif
}
HWY_INLINE Vector at_most(float bound, Vector x) {
#if HWY_ARCH_X86 && HWY_TARGET != HWY_EMU128 && HWY_TARGET != HWY_SCALAR
  return hn::Min(constant(bound), x);
#else
  return hn::IfThenElse(hn::Gt(x, constant(bound)), constant(bound), x);
#endif
}

HWY_INLINE Vector positive_part(Vector x) {
  return at_least(0.0F, x);
}
HWY_INLINE hn::Mask<Tag> is_positive(Vector x) {
  return hn::Gt(x, hn::Zero(Tag()));
}
HWY_INLINE Vector minus_abs(Vector x) {
  return hn::Or(x, hn::SignBit(Tag()));
}
HWY_INLINE Vector minus(Vector x) {
  return hn::Xor(x, hn::SignBit(Tag()));
}
HWY_INLINE Vector twice(Vector x) {
  return hn::Add(x, x);
}

// a b - p, exactly, where p is a b rounded.
HWY_INLINE Vector product_rest(Vector a, Vector b, Vector p) {
#if HWY_NATIVE_FMA
  return hn::MulSub(a, b, p);
#else
  const auto upper = hn::BitCast(Tag(), hn::Set(IntTag(), -4096));  // 12 bits: products are exact
  const Vector a1 = hn::And(a, upper);
  const Vector b1 = hn::And(b, upper);
  const Vector a2 = hn::Sub(a, a1);
  const Vector b2 = hn::Sub(b, b1);
  const Vector outer = hn::Sub(hn::Mul(a1, b1), p);
  const Vector middle = hn::Add(outer, hn::Add(hn::Mul(a1, b2), hn::Mul(a2, b1)));
  return hn::Add(middle, hn::Mul(a2, b2));
#endif
}

// a b + c, rounded once where MulAdd may round twice.
HWY_INLINE Vector rounded_once(Vector a, Vector b, Vector c) {
#if HWY_NATIVE_FMA
  return hn::MulAdd(a, b, c);
#else
  const Vector product = hn::Mul(a, b);
  const Vector sum = hn::Add(product, c);
  const Vector taken = hn::Sub(sum, product);
  const Vector rest = hn::Add(hn::Sub(product, hn::Sub(sum, taken)), hn::Sub(c, taken));
  return hn::Add(sum, hn::Add(rest, product_rest(a, b, product)));
#endif
}

// v times the power of two whose exponent stands at a float's place in e. Loses NaN.
HWY_INLINE Vector times_power(Vector v, IntVector e) {
  return hn::BitCast(Tag(), hn::Add(hn::BitCast(IntTag(), v), e));
}
template <int kPower>
HWY_INLINE Vector times_power(Vector v) {
  return times_power(v, hn::Set(IntTag(), kPower * (1 << 23)));
}

// y = k + f, |f| <= 1/2, and k + kBias at the place of a float's exponent.
struct Reduced {
  Vector f;
  IntVector power;
};

// For y = v c + w c_rest of which the first product is not rounded, |y| < 2^21.
enum class Order { usual, digits_near_zero };
template <int kBias, Order kOrder = Order::usual>
HWY_INLINE Reduced reduce(Vector v, Vector c, Vector w, Vector c_rest) {
  // Adding 1.5 2^23 rounds to a whole number, which stands in the last bits of the sum.
  const Vector rounder = constant(12582912.0F + kBias);
#if HWY_NATIVE_FMA
  const Vector sum = hn::MulAdd(v, c, rounder);
  const Vector k = hn::Sub(sum, rounder);
  // The second is rounded less often where k = 0, but loses digits where k is large.
  const Vector f = kOrder == Order::usual ? hn::MulAdd(w, c_rest, hn::MulSub(v, c, k))
                                          : hn::MulAdd(v, c, hn::MulSub(w, c_rest, k));
#else
  const Vector product = hn::Mul(v, c);
  const Vector sum = hn::Add(product, rounder);
  const Vector rest = hn::MulAdd(w, c_rest, product_rest(v, c, product));
  const Vector f = hn::Add(hn::Sub(product, hn::Sub(sum, rounder)), rest);
#endif
  return {f, hn::ShiftLeft<23>(hn::BitCast(IntTag(), sum))};
}

// For y = v c. An error of y, up to |y| 2^-24, becomes one of at most |y| 2^y 2^-24 in 2^y: for
// y < 0 that is negligible beside 1, the scale by which derivatives are judged.
template <int kBias>
HWY_INLINE Reduced reduce_beside_1(Vector v, Vector c) {
  const Vector rounder = constant(12582912.0F + kBias);
  const Vector sum = hn::MulAdd(v, c, rounder);
  return {hn::MulSub(v, c, hn::Sub(sum, rounder)), hn::ShiftLeft<23>(hn::BitCast(IntTag(), sum))};
}

// 2^f = (even + odd) / (even - odd) for |f| <= 1/2, since tanh(f ln(2) / 2) is nearly
// f (f^2 + b) / (a1 f^2 + a0).
constexpr float kEven0 = 360.75061F;
constexpr float kEven2 = 17.3290234F;
HWY_INLINE Vector exp2_odd(Vector f, Vector square) {
  return hn::Mul(f, hn::Add(square, constant(125.026634F)));
}
struct Parts {
  Vector even;
  Vector odd;
};
HWY_INLINE Parts exp2_parts(Vector f) {
  const Vector square = hn::Mul(f, f);
  return {hn::MulAdd(square, constant(kEven2), constant(kEven0)), exp2_odd(f, square)};
}
// 2^f - 1, where nothing is lost near 0.
HWY_INLINE Vector exp2_minus_1(Vector f) {
  const Vector square = hn::Mul(f, f);
  const Vector odd = exp2_odd(f, square);
  // even - odd, rounded once where f is small
  const Vector d = hn::Add(hn::MulSub(square, constant(kEven2), odd), constant(kEven0));
  return hn::Div(twice(odd), d);
}

// e^u = n / (2^64 d). The factor keeps n away from denormals, so that only the final result is
// rounded to one.
constexpr int kRaised = 64;
struct Fraction {
  Vector n;
  Vector d;

  // 2^64 d by a whole number; loses NaN.
  HWY_INLINE Vector raised() const { return times_power<kRaised>(d); }
};
HWY_INLINE Fraction exp2_fraction(Reduced y) {
  const Parts parts = exp2_parts(y.f);
  const Vector d = hn::Sub(parts.even, parts.odd);
  // even + odd, but so that most of d's rounding falls out of the quotient.
  const Vector n = hn::Add(d, times_power<1>(parts.odd));
  return {times_power(n, y.power), d};
}

// A factor of x in the exponent, times log2(e), as a sum: single precision alone would cost 60
// units in the last place where the exponent is -100.
struct Rate {
  float high;
  float low;
  float end;  // e^(-factor x) is 0 beyond

  explicit constexpr Rate(double factor)
      : high(static_cast<float>(factor * std::numbers::log2e)),
        low(static_cast<float>(factor * std::numbers::log2e - static_cast<double>(high))),
        end(static_cast<float>(kExpZero / factor)) {}
};

template <int kBias, Order kOrder = Order::usual>
HWY_INLINE Reduced reduce(Vector x, const Rate& rate) {
  return reduce<kBias, kOrder>(x, constant(rate.high), x, constant(rate.low));
}

// -|x|, but no less than where e^(factor x) is 0.
HWY_INLINE Vector minus_abs_within(const Rate& rate, Vector x) {
  return at_least(-rate.end, minus_abs(x));
}
// For x in [-rate.end, rate.end].
HWY_INLINE Fraction exp_fraction(Vector x, const Rate& rate) {
  return exp2_fraction(reduce<kRaised>(x, rate));
}
HWY_INLINE Fraction exp_fraction_beside_1(Vector x, const Rate& rate) {
  return exp2_fraction(reduce_beside_1<kRaised>(x, constant(rate.high)));
}

// Of e = e^u, u <= 0: s(u) = e / (1 + e) = n / (n + 2^64 d), and its derivative u s(u) with respect
// to u, which is s (1 + u (1 - s)); s(-u) = 1 - s(u), and (u s(u))' at -u is 1 less that at u.
HWY_INLINE Vector gate_slope(Vector u, const Fraction& e) {
  const Vector raised = e.raised();
  const Vector r = hn::Div(constant(1.0F), hn::Add(raised, e.n));
  const Vector factor = hn::MulAdd(hn::Mul(u, raised), r, constant(1.0F));
  return hn::Mul(hn::Mul(e.n, factor), r);
}
// v s(u)
HWY_INLINE Vector gated(Vector v, const Fraction& e) {
  return hn::Div(hn::Mul(v, e.n), hn::Add(e.raised(), e.n));
}

// s(rate x)
HWY_INLINE Vector sigmoid(Vector x, const Rate& rate) {
  const Fraction e = exp_fraction(minus_abs_within(rate, x), rate);
  const Vector raised = hn::Mul(e.d, constant(0x1p64F));  // a product keeps NaN
  return hn::Div(hn::IfThenElse(is_positive(x), raised, e.n), hn::Add(raised, e.n));
}
// s (1 - s) at rate x
HWY_INLINE Vector sigmoid_slope(Vector x, const Rate& rate) {
  const Fraction e = exp_fraction_beside_1(minus_abs_within(rate, x), rate);
  const Vector raised = hn::Mul(e.d, constant(0x1p64F));
  const Vector r = hn::Div(constant(1.0F), hn::Add(raised, e.n));
  return hn::Mul(hn::Mul(e.n, r), hn::Mul(raised, r));
}

}  // namespace actswap::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
