// The rows that a blend starts from, on vectors in single precision. Value and derivative are
// apart, since the forward pass needs the one and the backward pass the other alone. Where the
// formula is the table's (activation.h) in other words it stands beside the row. Included once for
// each instruction set.
//
// x is held within bounds beyond which the function is its asymptote, so that infinity never meets
// a factor 0; NaN passes.
#if defined(ACTSWAP_KERNEL_SOURCES_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef ACTSWAP_KERNEL_SOURCES_INL_H_
#undef ACTSWAP_KERNEL_SOURCES_INL_H_
#else
#define ACTSWAP_KERNEL_SOURCES_INL_H_
#endif

#include <actswap/kernel/math-inl.h>

#include <cmath>

HWY_BEFORE_NAMESPACE();
namespace actswap::HWY_NAMESPACE {

// x (scale s(beta x) + offset): swish, and aptx since alpha + tanh(u) = 2 s(2u) + alpha - 1
struct Gate {
  float beta;
  float scale;
  float offset;
  // The largest float on the side where the factor goes to 0, infinity elsewhere.
  float lowest;
  float highest;

  Gate(float given_beta, float given_scale, float given_offset)
      : beta(given_beta),
        scale(given_scale),
        offset(given_offset),
        lowest(offset == 0.0F && beta > 0.0F ? -kLargest : -kInfinity),
        highest(offset == 0.0F && beta < 0.0F ? kLargest : kInfinity) {}

  HWY_INLINE Vector value(Vector x) const {
    const Vector factor =
        hn::MulAdd(sigmoid(hn::Mul(x, constant(beta))), constant(scale), constant(offset));
    return hn::Mul(at_most(highest, at_least(lowest, x)), factor);
  }
  // scale (s + u s (1 - s)) + offset
  HWY_INLINE Vector derivative(Vector x) const {
    const Vector u = hn::Mul(x, constant(beta));
    const SigmoidPair s = sigmoid_pair(u);
    const Vector slope = hn::MulAdd(s.bounded, s.slope, s.value);
    return hn::MulAdd(slope, constant(scale), constant(offset));
  }
};

struct Swish : Gate {
  explicit Swish(const float* p) : Gate(p[0], 1.0F, 0.0F) {}
};

struct Aptx : Gate {
  explicit Aptx(const float* p) : Gate(2.0F * p[1], 2.0F * p[2], (p[0] - 1.0F) * p[2]) {}
};

// swish(1), the commonest
struct Silu {
  explicit Silu(const float*) {}

  // max(x, 0) - |x| s(-|x|), where the last goes to 0 on both sides
  HWY_INLINE Vector value(Vector x) const {
    const Vector a = at_least(kExpZero, minus_abs(x));
    const Vector z = exp(a);
    return hn::Add(at_least(0.0F, x), quotient(hn::Mul(a, z), hn::Add(z, constant(1.0F))));
  }
  HWY_INLINE Vector derivative(Vector x) const {
    const SigmoidPair s = sigmoid_pair(x);
    return hn::MulAdd(s.bounded, s.slope, s.value);
  }
};

// x s(x) left for x <= 0, x s(2x) for x > 0: swish_mish, and aptx_mish with left = 2 gamma_neg
struct TwoSidedSwish {
  float left;

  explicit TwoSidedSwish(float given_left) : left(given_left) {}

  HWY_INLINE Vector factor(Vector x) const {
    return hn::IfThenElse(hn::Gt(x, hn::Zero(Tag())), constant(1.0F), constant(left));
  }
  HWY_INLINE Vector value(Vector x) const {
    const Vector u = hn::Add(x, at_least(0.0F, x));
    return hn::Mul(hn::Mul(at_least(-kLargest, x), sigmoid(u)), factor(x));
  }
  HWY_INLINE Vector derivative(Vector x) const {
    const Vector u = hn::Add(x, at_least(0.0F, x));
    const SigmoidPair s = sigmoid_pair(u);
    return hn::Mul(hn::MulAdd(s.bounded, s.slope, s.value), factor(x));
  }
};

struct SwishMish : TwoSidedSwish {
  explicit SwishMish(const float*) : TwoSidedSwish(1.0F) {}
};

struct AptxMish : TwoSidedSwish {
  explicit AptxMish(const float* p) : TwoSidedSwish(2.0F * p[0]) {}
};

// x n / (n + 2), n = e^x (e^x + 2)
struct Mish {
  explicit Mish(const float*) {}

  HWY_INLINE Vector value(Vector x) const {
    const Vector bounded = at_least(kExpZero, x);
    const Vector e = exp(at_most(20.0F, bounded));
    const Vector n = hn::MulAdd(e, e, hn::Add(e, e));
    return hn::Mul(bounded, quotient(n, hn::Add(n, constant(2.0F))));
  }
  // n / d + 4 x e (e + 1) / d^2, d = n + 2
  HWY_INLINE Vector derivative(Vector x) const {
    const Vector bounded = at_most(20.0F, at_least(kExpZero, x));
    const Vector e = exp(bounded);
    const Vector n = hn::MulAdd(e, e, hn::Add(e, e));
    const Vector r = reciprocal(hn::Add(n, constant(2.0F)));
    const Vector rest = hn::Mul(hn::Mul(bounded, constant(4.0F)), hn::MulAdd(e, e, e));
    return hn::Mul(hn::MulAdd(rest, r, n), r);
  }
};

struct Gelu {
  explicit Gelu(const float*) {}

  // max(x, 0) - |x| Phi(-|x|)
  HWY_INLINE Vector value(Vector x) const {
    const Vector a = at_most(kNormalEnd, hn::Abs(x));
    const Vector tail = hn::Mul(exp_minus_half_square(a), scaled_normal_tail(a));
    return hn::NegMulAdd(a, tail, at_least(0.0F, x));
  }
  // Phi + x phi; for x < 0 that is y = Phi(-a) - a phi(a), a = |x|, for x > 0 it is 1 - y
  HWY_INLINE Vector derivative(Vector x) const {
    const Vector a = at_most(kNormalEnd, hn::Abs(x));
    const Vector density = hn::NegMulAdd(a, constant(0.398942280F), scaled_normal_tail(a));
    const Vector left = hn::Mul(density, exp_minus_half_square(a));
    return hn::IfNegativeThenElse(x, left, hn::Sub(constant(1.0F), left));
  }
};

// x s(u), u = 2 sqrt(2/pi) (x + 0.044715 x^3)
struct GeluTanh {
  static constexpr float kLinear = 1.59576912F;
  static constexpr float kCubic = 0.0713548163F;
  static constexpr float kEnd = 11.0F;  // u(11) = 112

  explicit GeluTanh(const float*) {}

  HWY_INLINE Vector value(Vector x) const {
    const Vector u = hn::Mul(x, hn::MulAdd(hn::Mul(x, x), constant(kCubic), constant(kLinear)));
    return hn::Mul(at_least(-kEnd, x), sigmoid(u));
  }
  // s + x u' s (1 - s)
  HWY_INLINE Vector derivative(Vector x) const {
    const Vector bounded = within(kEnd, x);
    const Vector square = hn::Mul(bounded, bounded);
    const Vector u = hn::Mul(bounded, hn::MulAdd(square, constant(kCubic), constant(kLinear)));
    const Vector slope =
        hn::Mul(bounded, hn::MulAdd(square, constant(3.0F * kCubic), constant(kLinear)));
    const SigmoidPair s = sigmoid_pair(u);
    return hn::MulAdd(slope, s.slope, s.value);
  }
};

// right x for x > 0, left (e^(inner x) - 1) otherwise; inner > 0
struct Exponentials {
  float right;
  float left;
  float inner;

  HWY_INLINE Vector value(Vector x) const {
    const Vector m = expm1(at_least(kExpZero, hn::Mul(at_most(0.0F, x), constant(inner))));
    return hn::IfThenElse(hn::Gt(x, hn::Zero(Tag())), hn::Mul(x, constant(right)),
                          hn::Mul(m, constant(left)));
  }
  HWY_INLINE Vector derivative(Vector x) const {
    const Vector e = exp(at_least(kExpZero, hn::Mul(at_most(0.0F, x), constant(inner))));
    return hn::IfThenElse(hn::Gt(x, hn::Zero(Tag())), constant(right),
                          hn::Mul(e, constant(left * inner)));
  }
};

struct Elu : Exponentials {
  explicit Elu(const float* p) : Exponentials{1.0F, p[0], 1.0F} {}
};

struct Selu : Exponentials {
  explicit Selu(const float*) : Exponentials{1.05070099F, 1.75809934F, 1.0F} {}
};

struct Celu : Exponentials {
  explicit Celu(const float* p) : Exponentials{1.0F, p[0], 1.0F / p[0]} {}
};

// (max(u, 0) + log(1 + e^-|u|)) / beta, u = beta x; x where u > threshold
struct Softplus {
  float beta;
  float threshold;

  explicit Softplus(const float* p) : beta(p[0]), threshold(p[1]) {}

  HWY_INLINE Vector value(Vector x) const {
    const Vector u = hn::Mul(x, constant(beta));
    const Vector sum = hn::Add(at_least(0.0F, u), log1p(exp_minus_abs(u)));
    return hn::IfThenElse(hn::Gt(u, constant(threshold)), x, hn::Mul(sum, constant(1.0F / beta)));
  }
  HWY_INLINE Vector derivative(Vector x) const {
    const Vector u = hn::Mul(x, constant(beta));
    return hn::IfThenElse(hn::Gt(u, constant(threshold)), constant(1.0F), sigmoid(u));
  }
};

struct Tanh {
  explicit Tanh(const float*) {}

  HWY_INLINE Vector value(Vector x) const { return tanh(x); }
  // 4 s(2x) s(-2x)
  HWY_INLINE Vector derivative(Vector x) const {
    return hn::Mul(sigmoid_pair(hn::Add(x, x)).slope, constant(4.0F));
  }
};

struct Sigmoid {
  explicit Sigmoid(const float*) {}

  HWY_INLINE Vector value(Vector x) const { return sigmoid(x); }
  HWY_INLINE Vector derivative(Vector x) const { return sigmoid_pair(x).slope; }
};

}  // namespace actswap::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
