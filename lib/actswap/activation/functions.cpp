#include <actswap/activation/functions.h>

#include <algorithm>
#include <cmath>
#include <numbers>

namespace actswap::functions {

namespace {

constexpr double kSeluAlpha = 1.6732632423543772848170429916717;
constexpr double kSeluScale = 1.0507009873554804934193349852946;

// exp of a non-positive number only: no overflow on either side.
double s(double x) {
  const double e = std::exp(-std::abs(x));
  return x >= 0.0 ? 1.0 / (1.0 + e) : e / (1.0 + e);
}

double sp(double x) {
  return std::max(x, 0.0) + std::log1p(std::exp(-std::abs(x)));
}

// x g where g goes to 0 faster than x grows: 0 with the sign of x at infinity, not NaN.
double times(double x, double g) {
  return g == 0.0 ? std::copysign(0.0, x) : x * g;
}

double normal_cdf(double x) {
  return 0.5 * std::erfc(-x / std::numbers::sqrt2);
}

double normal_density(double x) {
  return std::exp(-0.5 * x * x) * std::numbers::inv_sqrtpi / std::numbers::sqrt2;
}

// 1 - tanh^2 without cancellation: 4 e / (1 + e)^2 with e = exp(-2|u|).
double one_minus_tanh_squared(double u) {
  const double e = std::exp(-2.0 * std::abs(u));
  return 4.0 * e / ((1.0 + e) * (1.0 + e));
}

// tanh(sp(x)) = n / (n + 2) with n = e^x (e^x + 2), which is exact where tanh(sp) would round to 0.
double tanh_softplus(double x) {
  if (x > 20.0) {
    return 1.0;  // to double, and the square of e^x would overflow
  }
  const double e = std::exp(x);
  const double n = e * (e + 2.0);
  return n / (n + 2.0);
}

// alpha + tanh(u); for alpha = 1 as 2 s(2u), which keeps its digits in the left tail.
double alpha_plus_tanh(double alpha, double u) {
  return alpha == 1.0 ? 2.0 * s(2.0 * u) : alpha + std::tanh(u);
}

double aptx_value(double x, double alpha, double beta, double gamma) {
  return gamma * times(x, alpha_plus_tanh(alpha, beta * x));
}

double aptx_slope(double x, double alpha, double beta, double gamma) {
  const double u = beta * x;
  return gamma * (alpha_plus_tanh(alpha, u) + times(u, one_minus_tanh_squared(u)));
}

}  // namespace

double relu(double x, ParameterValues) {
  return std::max(x, 0.0);
}
double relu_derivative(double x, ParameterValues) {
  return x > 0.0 ? 1.0 : 0.0;
}

double hard_mish(double x, ParameterValues) {
  return times(0.5 * x, std::clamp(x + 2.0, 0.0, 2.0));
}
double hard_mish_derivative(double x, ParameterValues) {
  return x > 0.0 ? 1.0 : x > -2.0 ? x + 1.0 : 0.0;
}

double swish(double x, ParameterValues p) {
  return times(x, s(p[0] * x));
}
double swish_derivative(double x, ParameterValues p) {
  const double u = p[0] * x;
  return s(u) + times(u, s(u) * s(-u));
}

double mish(double x, ParameterValues) {
  return times(x, tanh_softplus(x));
}
double mish_derivative(double x, ParameterValues) {
  // 1 - tanh(sp)^2 = 4 (n + 1) / (n + 2)^2
  const double e = std::exp(std::min(x, 20.0));
  const double n = e * (e + 2.0);
  const double sech_squared = 4.0 * (n + 1.0) / ((n + 2.0) * (n + 2.0));
  return tanh_softplus(x) + (x > 20.0 ? 0.0 : times(x, s(x) * sech_squared));
}

double gelu(double x, ParameterValues) {
  return times(x, normal_cdf(x));
}
double gelu_derivative(double x, ParameterValues) {
  return normal_cdf(x) + times(x, normal_density(x));
}

// 1 + tanh(u) = 2 s(2u)
double gelu_tanh(double x, ParameterValues) {
  const double u = std::sqrt(2.0 / std::numbers::pi) * (x + 0.044715 * x * x * x);
  return times(x, s(2.0 * u));
}
double gelu_tanh_derivative(double x, ParameterValues) {
  const double scale = std::sqrt(2.0 / std::numbers::pi);
  const double u = scale * (x + 0.044715 * x * x * x);
  const double slope = scale * (1.0 + 3.0 * 0.044715 * x * x);
  return s(2.0 * u) + 0.5 * times(x * slope, one_minus_tanh_squared(u));
}

double aptx(double x, ParameterValues p) {
  return aptx_value(x, p[0], p[1], p[2]);
}
double aptx_derivative(double x, ParameterValues p) {
  return aptx_slope(x, p[0], p[1], p[2]);
}

double aptx_mish(double x, ParameterValues p) {
  return x >= 0.0 ? aptx_value(x, 1.0, 1.0, 0.5) : aptx_value(x, 1.0, 0.5, p[0]);
}
double aptx_mish_derivative(double x, ParameterValues p) {
  return x > 0.0 ? aptx_slope(x, 1.0, 1.0, 0.5) : aptx_slope(x, 1.0, 0.5, p[0]);
}

double swish_mish(double x, ParameterValues) {
  const double beta = x < 0.0 ? 1.0 : 2.0;
  return swish(x, {&beta, 1});
}
double swish_mish_derivative(double x, ParameterValues) {
  const double beta = x < 0.0 ? 1.0 : 2.0;
  return swish_derivative(x, {&beta, 1});
}

double hardswish(double x, ParameterValues) {
  return times(x, std::clamp(x + 3.0, 0.0, 6.0)) / 6.0;
}
double hardswish_derivative(double x, ParameterValues) {
  return x <= -3.0 ? 0.0 : x <= 3.0 ? (2.0 * x + 3.0) / 6.0 : 1.0;
}

double relu6(double x, ParameterValues) {
  return std::clamp(x, 0.0, 6.0);
}
double relu6_derivative(double x, ParameterValues) {
  return x > 0.0 && x <= 6.0 ? 1.0 : 0.0;
}

double leaky_relu(double x, ParameterValues p) {
  return x > 0.0 ? x : p[0] * x;
}
double leaky_relu_derivative(double x, ParameterValues p) {
  return x > 0.0 ? 1.0 : p[0];
}

double hardtanh(double x, ParameterValues p) {
  return std::min(std::max(x, p[0]), p[1]);
}
double hardtanh_derivative(double x, ParameterValues p) {
  return x > p[0] && x <= p[1] ? 1.0 : 0.0;
}

double elu(double x, ParameterValues p) {
  return x > 0.0 ? x : p[0] * std::expm1(x);
}
double elu_derivative(double x, ParameterValues p) {
  return x > 0.0 ? 1.0 : p[0] * std::exp(x);
}

double selu(double x, ParameterValues) {
  return kSeluScale * (x > 0.0 ? x : kSeluAlpha * std::expm1(x));
}
double selu_derivative(double x, ParameterValues) {
  return kSeluScale * (x > 0.0 ? 1.0 : kSeluAlpha * std::exp(x));
}

double celu(double x, ParameterValues p) {
  return x > 0.0 ? x : p[0] * std::expm1(x / p[0]);
}
double celu_derivative(double x, ParameterValues p) {
  return x > 0.0 ? 1.0 : std::exp(x / p[0]);
}

// Beyond the threshold it is x itself, as in ATen.
double softplus(double x, ParameterValues p) {
  return p[0] * x > p[1] ? x : sp(p[0] * x) / p[0];
}
double softplus_derivative(double x, ParameterValues p) {
  return p[0] * x > p[1] ? 1.0 : s(p[0] * x);
}

double tanh(double x, ParameterValues) {
  return std::tanh(x);
}
double tanh_derivative(double x, ParameterValues) {
  return one_minus_tanh_squared(x);
}

double sigmoid(double x, ParameterValues) {
  return s(x);
}
double sigmoid_derivative(double x, ParameterValues) {
  return s(x) * s(-x);
}

double hardsigmoid(double x, ParameterValues) {
  return std::clamp(x + 3.0, 0.0, 6.0) / 6.0;
}
double hardsigmoid_derivative(double x, ParameterValues) {
  return x > -3.0 && x <= 3.0 ? 1.0 / 6.0 : 0.0;
}

double softsign(double x, ParameterValues) {
  return std::isinf(x) ? std::copysign(1.0, x) : x / (1.0 + std::abs(x));
}
double softsign_derivative(double x, ParameterValues) {
  const double d = 1.0 + std::abs(x);
  return 1.0 / (d * d);
}

double log_sigmoid(double x, ParameterValues) {
  return -sp(-x);
}
double log_sigmoid_derivative(double x, ParameterValues) {
  return s(-x);
}

double tanhshrink(double x, ParameterValues) {
  return x - std::tanh(x);
}
double tanhshrink_derivative(double x, ParameterValues) {
  const double t = std::tanh(x);
  return t * t;
}

}  // namespace actswap::functions
