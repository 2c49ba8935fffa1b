// The rows that have a kernel, in double on whole arrays, fast enough for all 2^32 inputs: loops
// that the compiler makes vectors of. Relative errors are below 1e-12, a hundred-thousandth of a
// last place of float32. ulp.cpp holds it to the table's functions, one by one, at a sample.
#pragma once

#include <actswap/activation/activation.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numbers>

namespace reference {

// e^x = p (m + 1), p a power of two. For x in [-700, 700].
struct Power {
  double p;
  double m;
};
inline Power power(double x) {
  constexpr double kRounder = 0x1.8p52;
  const double sum = x * std::numbers::log2e + kRounder;
  const double k = sum - kRounder;
  const double r = (x - k * 0x1.62e42feep-1) - k * 0x1.a39ef35793c76p-33;
  double q = 1.0 / 87178291200.0;  // 14!
  constexpr double kFactorials[] = {6227020800.0, 479001600.0, 39916800.0, 3628800.0, 362880.0,
                                    40320.0,      5040.0,      720.0,      120.0,     24.0,
                                    6.0,          2.0,         1.0};
  for (const double factorial : kFactorials) {
    q = q * r + 1.0 / factorial;
  }
  const auto bits = std::bit_cast<std::uint64_t>(sum) + 1023U;
  return {std::bit_cast<double>(bits << 52U), q * r};
}
inline double exp(double x) {
  const Power e = power(x < -700.0 ? -700.0 : x > 700.0 ? 700.0 : x);
  return e.p * e.m + e.p;
}
inline double expm1(double x) {
  const Power e = power(x < -700.0 ? -700.0 : x > 700.0 ? 700.0 : x);
  return e.p * e.m + (e.p - 1.0);
}
// log(1 + z) for z in [0, 1]
inline double log1p(double z) {
  const double q = z / (2.0 + z);
  const double s = q * q;
  double p = 0.18760252366562635;
  for (const double c :
       {0.11744125629385589, 0.1557083115608876, 0.18169325817739296, 0.22222709942639382,
        0.28571417938983779, 0.4000000011554104, 0.66666666666185959, 2.000000000000004}) {
    p = p * s + c;
  }
  return p * q;
}
// Phi(-a), a >= 0; phi(a) = e^(-a^2/2) / sqrt(2 pi)
inline double normal_tail(double a, double density) {
  a = a > 14.8 ? 14.8 : a;
  double p = 4.1210053253592025e-07;
  for (const double c : {-5.9342539282268293e-06, -2.0435085278115051e-05, 0.00099262164930515344,
                         0.012720923067443176, 0.075053525531010065, 0.25690716239884553,
                         0.5110951156984106, 0.500000000000145}) {
    p = p * a + c;
  }
  double q = 1.0329822811064556e-06;
  for (const double c : {-1.4874912149884508e-05, -5.0192777327003922e-05, 0.002473331663421569,
                         0.031831916629864856, 0.19066943218530091, 0.67574901788746844,
                         1.4660239002072066, 1.8200747922380782, 1.0}) {
    q = q * a + c;
  }
  return density * std::numbers::sqrt2 / std::numbers::inv_sqrtpi * (p / q);
}

// x g where g goes to 0 faster than x grows.
inline double times(double x, double g) {
  return g == 0.0 || g < 1e-300 ? 0.0 : x * g;
}

struct Result {
  double value;
  double derivative;
};

struct Gate {
  double s;
  double slope;  // s (1 - s)
};
inline Gate gate(double u) {
  const double e = exp(-std::abs(u));
  const double r = 1.0 / (1.0 + e);
  return {u >= 0.0 ? r : e * r, e * r * r};
}
inline double tame(double u) {
  return u < -1e5 ? -1e5 : u > 1e5 ? 1e5 : u;
}

inline Result swish(double x, const double* p) {
  const double u = p[0] * x;
  const Gate g = gate(u);
  return {g.s < 1e-300 ? 0.0 : x * g.s, g.s + tame(u) * g.slope};
}
inline Result aptx(double x, const double* p) {
  const double u = 2.0 * p[1] * x;
  const Gate g = gate(u);
  const double factor = 2.0 * g.s + (p[0] - 1.0);
  return {p[2] * (std::abs(factor) < 1e-300 ? 0.0 : x * factor),
          p[2] * (factor + 2.0 * tame(u) * g.slope)};
}
inline Result two_sided(double x, double left) {
  const double beta = x > 0.0 ? 2.0 : 1.0;
  const Result r = swish(x, &beta);
  const double factor = x > 0.0 ? 1.0 : left;
  return {r.value * factor, r.derivative * factor};
}
inline Result swish_mish(double x, const double*) {
  return two_sided(x, 1.0);
}
inline Result aptx_mish(double x, const double* p) {
  return two_sided(x, 2.0 * p[0]);
}
inline Result mish(double x, const double*) {
  const double e = exp(x > 40.0 ? 40.0 : x);
  const double n = e * (e + 2.0);
  const double d = n + 2.0;
  const double g = n / d;
  const double rest = x > 40.0 ? 0.0 : tame(x) * 4.0 * e * (e + 1.0) / (d * d);
  return {g < 1e-300 ? 0.0 : x * g, g + rest};
}
inline Result gelu(double x, const double*) {
  const double a = std::abs(x) > 40.0 ? 40.0 : std::abs(x);
  const double density = exp(-0.5 * a * a) * (std::numbers::inv_sqrtpi / std::numbers::sqrt2);
  const double tail = normal_tail(a, density);
  return {x > 0.0 ? x - a * tail : -a * tail,
          x > 0.0 ? 1.0 - (tail - a * density) : tail - a * density};
}
inline Result gelu_tanh(double x, const double*) {
  constexpr double kScale = 2.0 * std::numbers::sqrt2 * std::numbers::inv_sqrtpi;
  const double b = x < -100.0 ? -100.0 : x > 100.0 ? 100.0 : x;
  const Gate g = gate(kScale * (b + 0.044715 * b * b * b));
  return {g.s < 1e-300 ? 0.0 : x * g.s,
          g.s + b * kScale * (1.0 + 3.0 * 0.044715 * b * b) * g.slope};
}
inline Result exponential(double x, double right, double left, double inner) {
  const double u = x * inner;
  return {x > 0.0 ? right * x : left * expm1(u), x > 0.0 ? right : left * inner * exp(u)};
}
inline Result elu(double x, const double* p) {
  return exponential(x, 1.0, p[0], 1.0);
}
inline Result selu(double x, const double*) {
  constexpr double kScale = 1.0507009873554804934193349852946;
  return exponential(x, kScale, kScale * 1.6732632423543772848170429916717, 1.0);
}
inline Result celu(double x, const double* p) {
  return exponential(x, 1.0, p[0], 1.0 / p[0]);
}
inline Result softplus(double x, const double* p) {
  const double u = p[0] * x;
  const double soft = (u > 0.0 ? u : 0.0) + log1p(exp(-std::abs(u)));
  return {u > p[1] ? x : soft / p[0], u > p[1] ? 1.0 : gate(u).s};
}
inline Result tanh(double x, const double*) {
  const double m = expm1(-2.0 * std::abs(x));
  return {std::copysign(m / (m + 2.0), x), 4.0 * gate(2.0 * x).slope};
}
inline Result sigmoid(double x, const double*) {
  const Gate g = gate(x);
  return {g.s, g.slope};
}

using Row = void (*)(const double* x, const double* parameters, double* value, double* derivative,
                     std::size_t n);

#define ACTSWAP_REFERENCES(ROW) \
  ROW(swish)                    \
  ROW(aptx)                     \
  ROW(swish_mish)               \
  ROW(aptx_mish)                \
  ROW(mish)                     \
  ROW(gelu)                     \
  ROW(gelu_tanh)                \
  ROW(elu)                      \
  ROW(selu)                     \
  ROW(celu)                     \
  ROW(softplus)                 \
  ROW(tanh)                     \
  ROW(sigmoid)

#define ACTSWAP_ROW(name)                                                                       \
  inline void name##_array(const double* x, const double* p, double* value, double* derivative, \
                           std::size_t n) {                                                     \
    for (std::size_t i = 0; i < n; ++i) {                                                       \
      const Result r = name(x[i], p);                                                           \
      value[i] = r.value;                                                                       \
      derivative[i] = r.derivative;                                                             \
    }                                                                                           \
  }
ACTSWAP_REFERENCES(ACTSWAP_ROW)
#undef ACTSWAP_ROW

/// The fast form of a row; null where the table's own functions are fast enough.
inline Row find(const actswap::Activation& row) {
#define ACTSWAP_ROW(function)  \
  if (row.name == #function) { \
    return function##_array;   \
  }
  ACTSWAP_REFERENCES(ACTSWAP_ROW)
#undef ACTSWAP_ROW
  return nullptr;
}

}  // namespace reference
