// The rows that a blend starts from, on vectors in single precision. Value and derivative are
// separate, because the forward pass needs only one and the backward pass only the other. If a
// formula differs in form from the table's (activation.h), it stands beside the row. Included once
// for each instruction set.
//
// Most rows are max(x, 0) and a rest that goes to 0 on both sides: the rest is a fraction of e^-|u|
// (math-inl.h), rounded once, so that the tails keep their digits down to the last denormal and
// infinity never meets a factor 0.
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

// Rows that are max(x, 0) + rest(x), with the derivative left(x) for x <= 0 and 1 - left(x) for
// x > 0.
struct RampTag {};
template <class Row>
struct Ramp : RampTag {
  HWY_INLINE Vector value(Vector x) const { return hn::Add(row().rest(x), positive_part(x)); }
  HWY_INLINE Vector derivative(Vector x) const {
    const Vector left = row().left(x);
    return hn::IfThenElse(is_positive(x), hn::Sub(constant(1.0F), left), left);
  }

 private:
  HWY_INLINE const Row& row() const { return static_cast<const Row&>(*this); }
};

// x (scale s(beta x) + offset): swish, and aptx since alpha + tanh(u) = 2 s(2u) + alpha - 1
struct Gate {
  Rate rate;
  float beta;   // its size
  float right;  // the slope that the row has far out
  float left;
  float rest;  // +-scale
  // The largest float on the side where the slope is 0, infinity elsewhere.
  float lowest;
  float highest;

  Gate(float given_beta, double scale, double offset)
      : rate(std::abs(given_beta)),
        beta(std::abs(given_beta)),
        right(static_cast<float>(given_beta > 0.0F ? scale + offset : offset)),
        left(static_cast<float>(given_beta > 0.0F ? offset : scale + offset)),
        rest(static_cast<float>(given_beta > 0.0F ? scale : -scale)),
        lowest(left == 0.0F ? -kLargest : -kInfinity),
        highest(right == 0.0F ? kLargest : kInfinity) {}

  HWY_INLINE Vector slope(Vector x) const {
    return hn::IfThenElse(is_positive(x), constant(right), constant(left));
  }
  // x slope - |x| rest s(-|u|)
  HWY_INLINE Vector value(Vector x) const {
    const Vector a = minus_abs_within(rate, x);
    const Vector line = hn::Mul(at_most(highest, at_least(lowest, x)), slope(x));
    return hn::MulAdd(gated(a, exp_fraction(a, rate)), constant(rest), line);
  }
  HWY_INLINE Vector derivative(Vector x) const {
    const Vector a = minus_abs_within(rate, x);
    const Vector gate = gate_slope(hn::Mul(a, constant(beta)), exp_fraction_beside_1(a, rate));
    const Vector factor = hn::IfThenElse(is_positive(x), constant(-rest), constant(rest));
    return hn::MulAdd(gate, factor, slope(x));
  }
};

struct Swish : Gate {
  explicit Swish(const float* p) : Gate(p[0], 1.0, 0.0) {}
};

struct Aptx : Gate {
  explicit Aptx(const float* p)
      : Gate(2.0F * p[1], 2.0 * p[2], (static_cast<double>(p[0]) - 1.0) * p[2]) {}
};

// swish(1), the commonest
struct Silu : Ramp<Silu> {
  static constexpr Rate kRate{1.0};

  explicit Silu(const float*) {}

  // -|x| s(-|x|)
  HWY_INLINE Vector rest(Vector x) const {
    const Vector a = minus_abs_within(kRate, x);
    return gated(a, exp_fraction(a, kRate));
  }
  HWY_INLINE Vector left(Vector x) const {
    const Vector a = minus_abs_within(kRate, x);
    return gate_slope(a, exp_fraction_beside_1(a, kRate));
  }
};

// x s(x) left for x <= 0, x s(2x) for x > 0: swish_mish, and aptx_mish with left = 2 gamma_neg
struct TwoSidedSwish : Ramp<TwoSidedSwish> {
  static constexpr Rate kRate{1.0};
  float left_factor;

  explicit TwoSidedSwish(float given_left) : left_factor(given_left) {}

  // -|u|
  HWY_INLINE Vector argument(Vector x) const {
    return minus_abs_within(kRate, hn::Add(x, positive_part(x)));
  }
  HWY_INLINE Vector rest(Vector x) const {
    const Vector a = argument(x);
    const Vector factor = hn::IfThenElse(is_positive(x), constant(0.5F), constant(left_factor));
    return gated(hn::Mul(a, factor), exp_fraction(a, kRate));
  }
  HWY_INLINE Vector derivative(Vector x) const {
    const Vector a = argument(x);
    const Vector gate = gate_slope(a, exp_fraction_beside_1(a, kRate));
    return hn::IfThenElse(is_positive(x), hn::Sub(constant(1.0F), gate),
                          hn::Mul(gate, constant(left_factor)));
  }
};

struct SwishMish : TwoSidedSwish {
  explicit SwishMish(const float*) : TwoSidedSwish(1.0F) {}
};

struct AptxMish : TwoSidedSwish {
  explicit AptxMish(const float* p) : TwoSidedSwish(2.0F * p[0]) {}
};

// x n / (n + 2), n = e^x (e^x + 2). With e^x = E / D that is x m / (m + w), m = E (E + 2D),
// w = 2 D^2, or for x > 0 x - x w / (m + w).
struct Mish : Ramp<Mish> {
  static constexpr Rate kRate{1.0};
  static constexpr float kEnd = 11.0F;  // from where on it is x, and its derivative 1

  explicit Mish(const float*) {}

  struct Terms {
    Vector e;    // 2^64 E
    Vector d;    // D
    Vector sum;  // E + 2D
    Vector m;    // times 2^64
    Vector all;  // 2^64 (m + w)
  };
  static HWY_INLINE Vector bounded(Vector x) { return at_most(kEnd, at_least(-kRate.end, x)); }
  static HWY_INLINE Terms terms(const Fraction& e) {
    const Vector sum = hn::MulAdd(e.n, constant(0x1p-64F), twice(e.d));
    const Vector m = hn::Mul(e.n, sum);
    return {e.n, e.d, sum, m, rounded_once(times_power<kRaised + 1>(e.d), e.d, m)};
  }

  HWY_INLINE Vector rest(Vector x) const {
    const Vector b = bounded(x);
    const Terms e = terms(exp_fraction(b, kRate));
    const Vector a = minus_abs(b);
    const Vector right = hn::Sub(e.all, e.m);
    const Vector part = hn::Mul(a, hn::IfThenElse(is_positive(x), right, e.m));
#if HWY_NATIVE_FMA
    return hn::Div(part, e.all);
#else
    // Without fused products there is more rounding; some of it is made up for.
    const Vector low = hn::Mul(a, product_rest(e.e, e.sum, e.m));
    const Vector left = rounded_once(a, e.m, low);
    return hn::Div(hn::IfThenElse(is_positive(x), part, left), e.all);
#endif
  }
  // (m + 2x E (E + D) w r) r, r = 1 / (m + w), where w r = 1 - m r loses its digits far out
  HWY_INLINE Vector derivative(Vector x) const {
    const Vector b = bounded(x);
    const Terms e = terms(exp_fraction_beside_1(b, kRate));
    const Vector r = hn::Div(constant(1.0F), e.all);
    const Vector w = hn::Mul(hn::Mul(times_power<kRaised + 1>(e.d), e.d), r);
    const Vector rest = hn::Mul(hn::Mul(twice(b), e.e), hn::Sub(e.sum, e.d));
    return hn::Mul(hn::MulAdd(rest, w, e.m), r);
  }
};

// With h = 2^(-c a^2), c being log2(e) / 2 rounded, Phi(-a) / h and the derivative, Phi(-a) - a
// phi(a), are fractions of polynomials; they make up for the rounding.
struct Gelu : Ramp<Gelu> {
  static constexpr float kGrid = 0.721347511F;
  static constexpr float kEnd = 14.75F;  // 14.75 phi(14.75) rounds to 0

  explicit Gelu(const float*) {}

  static HWY_INLINE Vector minus_abs_within(Vector x) { return at_least(-kEnd, minus_abs(x)); }
  // -|x| Phi(-|x|)
  HWY_INLINE Vector rest(Vector x) const {
    const Vector a = minus_abs_within(x);
    const Vector square = hn::Mul(a, a);
    // By squares, since each step of Horner's scheme would be rounded.
    const Vector p_high = rounded_once(constant(-0.290051073F), a, constant(2.78346109F));
    const Vector p_low = rounded_once(constant(-12.2763376F), a, constant(28.8051586F));
    const Vector p_rest = rounded_once(square, p_high, p_low);
    const Vector p = rounded_once(minus(square), p_rest, hn::Mul(a, constant(32.0F)));
    // The denominator without its first term, 64, which the last step adds. Far out it is mostly a
    // share of the numerator, whose rounding cancels in the quotient.
    Vector q = hn::NegMulAdd(constant(0.722663403F), a, constant(7.05804729F));
    q = hn::NegMulAdd(q, a, constant(28.4623356F));
    q = hn::Mul(q, a);
    q = rounded_once(p, constant(2.50664449F), q);
    const Vector grid = constant(-kGrid);
    const Fraction h =
        exp2_fraction(reduce<kRaised>(square, grid, product_rest(a, a, square), grid));
    const Vector raised = h.raised();
    const Vector denominator = rounded_once(minus(q), raised, times_power<6>(raised));
    return hn::Div(hn::Mul(p, h.n), denominator);
  }
  // Phi(-a) - a phi(a), a = |x|
  HWY_INLINE Vector left(Vector x) const {
    const Vector a = minus_abs_within(x);
    const Vector square = hn::Mul(a, a);
    const Vector p_high = hn::NegMulAdd(constant(-0.398938924F), a, constant(-3.19255042F));
    const Vector p_middle = hn::NegMulAdd(constant(-10.6640816F), a, constant(-15.6683397F));
    const Vector p_low = hn::NegMulAdd(constant(-2.54185629F), a, constant(16.4134045F));
    const Vector p = hn::MulAdd(square, hn::MulAdd(square, p_high, p_middle), p_low);
    const Vector q_high = hn::NegMulAdd(constant(8.00242233F), a, constant(27.7305393F));
    const Vector q_low = hn::NegMulAdd(constant(47.3002739F), a, constant(32.8268089F));
    const Vector q = hn::MulAdd(square, hn::Add(square, q_high), q_low);
    const Fraction h = exp2_fraction(reduce_beside_1<kRaised>(square, constant(-kGrid)));
    return hn::Div(hn::Mul(p, h.n), hn::Mul(q, h.raised()));
  }
};

// x s(u), u = 2 sqrt(2/pi) (x + 0.044715 x^3)
struct GeluTanh : Ramp<GeluTanh> {
  // u log2(e) = x (linear + cubic x^2), each of the two in two parts; the first part of linear has
  // 22 bits.
  static constexpr float kLinear = 2.30220795F;
  static constexpr float kLinearRest = 2.51366981e-7F;
  static constexpr float kCubic = 0.102943242F;
  static constexpr float kCubicRest = -2.01619844e-9F;
  static constexpr float kEnd = 11.0F;  // u(11) = 112

  explicit GeluTanh(const float*) {}

  static HWY_INLINE Vector minus_abs_within(Vector x) { return at_least(-kEnd, minus_abs(x)); }
  // e^u for x in [-kEnd, 0]
  static HWY_INLINE Fraction exp_u(Vector x, Vector square) {
    const Vector cubic = constant(kCubic);
    const Vector linear = constant(kLinear);
    // linear - sum is exact, as linear has no more bits than that.
#if HWY_NATIVE_FMA
    const Vector sum = hn::MulAdd(square, cubic, linear);
    Vector rest = hn::MulAdd(square, cubic, hn::Sub(linear, sum));
#else
    const Vector product = hn::Mul(square, cubic);
    const Vector sum = hn::Add(product, linear);
    Vector rest =
        hn::Add(hn::Add(hn::Sub(linear, sum), product), product_rest(square, cubic, product));
#endif
    rest = hn::Add(rest, constant(kLinearRest));
    rest = hn::MulAdd(square, constant(kCubicRest), rest);
    rest = hn::MulAdd(product_rest(x, x, square), cubic, rest);
    return exp2_fraction(reduce<kRaised>(x, sum, x, rest));
  }

  HWY_INLINE Vector rest(Vector x) const {
    const Vector a = minus_abs_within(x);
    return gated(a, exp_u(a, hn::Mul(a, a)));
  }
  // s(u) + x u' s(u) s(-u)
  HWY_INLINE Vector left(Vector x) const {
    const Vector a = minus_abs_within(x);
    const Vector square = hn::Mul(a, a);
    const Vector inner = hn::MulAdd(square, constant(0.214064449F), constant(1.59576912F));
    const Vector c = hn::MulAdd(square, constant(kCubic), constant(kLinear));
    return gate_slope(hn::Mul(a, inner), exp2_fraction(reduce_beside_1<kRaised>(a, c)));
  }
};

// right x for x > 0, left (e^(inner x) - 1) otherwise; inner > 0
struct Exponentials {
  float right;
  float left;
  Rate rate;
  float slope;  // inner left

  Exponentials(float given_right, double given_left, double inner)
      : right(given_right),
        left(static_cast<float>(given_left)),
        rate(inner),
        slope(static_cast<float>(given_left * inner)) {}

  // e^u - 1 = p (2^f - 1) + p - 1, p = 2^k. What comes of x > 0 is not looked at.
  HWY_INLINE Vector value(Vector x) const {
    const Reduced y = reduce<127, Order::digits_near_zero>(at_least(-0.5F * rate.end, x), rate);
    const Vector power = hn::BitCast(Tag(), y.power);
    const Vector m = hn::MulAdd(exp2_minus_1(y.f), power, hn::Sub(power, constant(1.0F)));
    return hn::IfThenElse(is_positive(x), hn::Mul(x, constant(right)), hn::Mul(m, constant(left)));
  }
  HWY_INLINE Vector derivative(Vector x) const {
    const Fraction e = exp_fraction_beside_1(at_least(-rate.end, x), rate);
    const Vector inside = hn::Mul(hn::Div(e.n, e.d), constant(slope * 0x1p-64F));
    return hn::IfThenElse(is_positive(x), constant(right), inside);
  }
};

struct Elu : Exponentials {
  explicit Elu(const float* p) : Exponentials(1.0F, p[0], 1.0) {}
};

struct Selu : Exponentials {
  explicit Selu(const float*) : Exponentials(1.05070099F, 1.7580993408473766, 1.0) {}
};

struct Celu : Exponentials {
  explicit Celu(const float* p) : Exponentials(1.0F, p[0], 1.0 / static_cast<double>(p[0])) {}
};

// (max(u, 0) + log(1 + e^-|u|)) / beta, u = beta x; x where u > threshold
struct Softplus {
  Rate rate;
  float beta;
  float threshold;
  // Where the line max(u, 0) / beta ends.
  float lowest;
  float highest;

  explicit Softplus(const float* p)
      : rate(std::abs(p[0])),
        beta(p[0]),
        threshold(p[1]),
        lowest(beta > 0.0F ? 0.0F : -kInfinity),
        highest(beta > 0.0F ? kInfinity : 0.0F) {}

  HWY_INLINE hn::Mask<Tag> is_beyond(Vector x) const {
    return hn::Gt(hn::Mul(x, constant(beta)), constant(threshold));
  }
  HWY_INLINE Vector value(Vector x) const {
    // log(1 + z) = 2 artanh(q), q = z / (2 + z), z = n / d
    const Fraction z = exp_fraction(minus_abs_within(rate, x), rate);
    const Vector q = hn::Div(z.n, hn::Add(z.n, twice(z.raised())));
    const Vector square = hn::Mul(q, q);
    Vector p = constant(0.280068517F);
    p = hn::MulAdd(p, square, constant(0.280030191F));
    p = hn::MulAdd(p, square, constant(0.400214374F));
    p = hn::MulAdd(p, square, constant(0.666664183F));
    p = hn::MulAdd(p, square, constant(2.0F));
    const Vector line = at_most(highest, at_least(lowest, x));
    const Vector sum = hn::MulAdd(hn::Mul(p, q), constant(1.0F / beta), line);
    return hn::IfThenElse(is_beyond(x), x, sum);
  }
  HWY_INLINE Vector derivative(Vector x) const {
    const Vector u = hn::Mul(x, constant(std::copysign(1.0F, beta)));
    return hn::IfThenElse(is_beyond(x), constant(1.0F), sigmoid(u, rate));
  }
};

struct Tanh {
  static constexpr Rate kRate{2.0};

  explicit Tanh(const float*) {}

  // (1 - e) / (1 + e), e = e^-2|x|, with the sign of x. With e = p (A + B) / (A - B), p = 2^k, that
  // is ((1 - p) A - (1 + p) B) / ((1 + p) A - (1 - p) B), where nothing is lost for p = 1.
  HWY_INLINE Vector value(Vector x) const {
    const Reduced y =
        reduce<127, Order::digits_near_zero>(at_least(-0.5F * kRate.end, minus_abs(x)), kRate);
    const Parts parts = exp2_parts(y.f);
    const Vector power = hn::BitCast(Tag(), y.power);
    const Vector less = hn::Sub(power, constant(1.0F));
    const Vector more = hn::Add(power, constant(1.0F));
    const Vector n = hn::MulAdd(less, parts.even, hn::Mul(more, parts.odd));
    const Vector d = hn::MulAdd(more, parts.even, hn::Mul(less, parts.odd));
    return hn::CopySign(hn::Div(n, d), x);
  }
  // 4 s(2x) s(-2x)
  HWY_INLINE Vector derivative(Vector x) const {
    return hn::Mul(sigmoid_slope(x, kRate), constant(4.0F));
  }
};

struct Sigmoid {
  static constexpr Rate kRate{1.0};

  explicit Sigmoid(const float*) {}

  HWY_INLINE Vector value(Vector x) const { return sigmoid(x, kRate); }
  HWY_INLINE Vector derivative(Vector x) const { return sigmoid_slope(x, kRate); }
};

}  // namespace actswap::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
