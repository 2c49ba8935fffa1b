// The rows. Everything that needs to know an activation reads them from here.
#include <actswap/activation/activation.h>
#include <actswap/activation/functions.h>

namespace actswap {

namespace {

namespace f = functions;

std::vector<double> smooth(ParameterValues) {
  return {};
}
std::vector<double> at_zero(ParameterValues) {
  return {0.0};
}
std::vector<double> at_zero_unless(double slope_on_the_right, double slope_on_the_left) {
  return slope_on_the_right == slope_on_the_left ? std::vector<double>{} : std::vector<double>{0.0};
}
std::vector<double> leaky_kink(ParameterValues p) {
  return at_zero_unless(1.0, p[0]);
}
std::vector<double> aptx_mish_kink(ParameterValues p) {
  return at_zero_unless(0.5, p[0]);
}
std::vector<double> at_minus_two(ParameterValues) {
  return {-2.0};
}
std::vector<double> at_three(ParameterValues) {
  return {-3.0, 3.0};
}
std::vector<double> at_zero_and_six(ParameterValues) {
  return {0.0, 6.0};
}
std::vector<double> at_bounds(ParameterValues p) {
  return {p[0], p[1]};
}
std::vector<double> at_threshold(ParameterValues p) {
  return {p[1] / p[0]};
}

std::string celu_fault(ParameterValues p) {
  return p[0] == 0.0 ? "alpha must not be 0" : "";
}
std::string hardtanh_fault(ParameterValues p) {
  return p[0] < p[1] ? "" : "lo must be below hi";
}
// For a negative beta ATen's threshold would cut off the wrong side.
std::string softplus_fault(ParameterValues p) {
  return p[0] > 0.0 ? "" : "beta must be above 0";
}

constexpr bool kSource = true;
constexpr bool kNoSource = false;
constexpr bool kTarget = true;
constexpr bool kNoTarget = false;

std::vector<Activation> make_table() {
  return {
      {"relu",
       {},
       {},
       f::relu,
       f::relu_derivative,
       at_zero,
       "torch.relu(x)",
       {{"relu"}},
       kNoSource,
       kTarget,
       "max(x, 0)",
       ""},
      {"hard_mish",
       {},
       {},
       f::hard_mish,
       f::hard_mish_derivative,
       at_minus_two,
       "x * torch.clamp(x * 0.5 + 1.0, 0.0, 1.0)",
       {},
       kNoSource,
       kTarget,
       "x/2 clamp(x + 2, 0, 2)",
       "Misra, H-Mish, 2020",
       nullptr,
       // As cheap as the clamp, and the ONNX exporter takes it wherever it takes x (a clamp it does
       // not). The cheapest in docs/performance.md, addcmul, is NaN at infinity. It has no second
       // derivative, and in double a first one of single precision.
       "x * torch.hardsigmoid(x * 3.0 + 3.0)"},
      {"swish",
       {{"silu", {1.0}, "torch.silu(x)"}, {"quick_gelu", {1.702}}},
       {{"beta", 1.0}},
       f::swish,
       f::swish_derivative,
       smooth,
       "x * torch.sigmoid(x * {beta})",
       {{.op = "silu", .fixed_parameters = {{"beta", 1.0}}}},
       kSource,
       kNoTarget,
       "x sigmoid(beta x)",
       "Ramachandran et al. 2017; silu: Elfwing et al. 2017"},
      {"mish",
       {},
       {},
       f::mish,
       f::mish_derivative,
       smooth,
       "torch.mish(x)",
       {{"mish"}},
       kSource,
       kNoTarget,
       "x tanh(softplus(x))",
       "Misra 2019"},
      {"gelu",
       {},
       {},
       f::gelu,
       f::gelu_derivative,
       smooth,
       "torch.gelu(x)",
       {{.op = "gelu", .required = {{"approximate", "'none'"}}}},
       kSource,
       kNoTarget,
       "x Phi(x)",
       "Hendrycks and Gimpel 2016"},
      {"gelu_tanh",
       {},
       {},
       f::gelu_tanh,
       f::gelu_tanh_derivative,
       smooth,
       "torch.gelu(x, approximate='tanh')",
       {{.op = "gelu", .required = {{"approximate", "'tanh'"}}}},
       kSource,
       kNoTarget,
       "x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3)))",
       "Hendrycks and Gimpel 2016"},
      {"aptx",
       {},
       {{"alpha", 1.0}, {"beta", 1.0}, {"gamma", 0.5}},
       f::aptx,
       f::aptx_derivative,
       smooth,
       "x * ((torch.tanh(x * {beta}) + {alpha}) * {gamma})",
       {},
       kSource,
       kNoTarget,
       "(alpha + tanh(beta x)) gamma x",
       "Kumar 2022"},
      {"aptx_mish",
       {},
       {{"gamma_neg", 1.0 / 1.9}},
       f::aptx_mish,
       f::aptx_mish_derivative,
       aptx_mish_kink,
       "torch.where(x >= 0.0, x * ((torch.tanh(x) + 1.0) * 0.5), "
       "x * ((torch.tanh(x * 0.5) + 1.0) * {gamma_neg}))",
       {},
       kSource,
       kNoTarget,
       "x >= 0: aptx(1, 1, 1/2); x < 0: aptx(1, 1/2, gamma_neg)",
       "Kumar 2022"},
      {"swish_mish",
       {},
       {},
       f::swish_mish,
       f::swish_mish_derivative,
       smooth,
       "x * torch.sigmoid(x + torch.relu(x))",
       {},
       kSource,
       kNoTarget,
       "x sigmoid(x + relu(x))",
       "a piecewise swish that follows mish"},
      {"hardswish",
       {},
       {},
       f::hardswish,
       f::hardswish_derivative,
       at_three,
       "torch.hardswish(x)",
       {{"hardswish"}},
       kNoSource,
       kTarget,
       "x relu6(x + 3) / 6",
       "Howard et al. 2019"},
      {"relu6",
       {},
       {},
       f::relu6,
       f::relu6_derivative,
       at_zero_and_six,
       "torch.hardtanh(x, 0.0, 6.0)",
       {{"relu6"}, {.op = "hardtanh", .required = {{"min_val", "0"}, {"max_val", "6"}}}},
       kNoSource,
       kTarget,
       "min(max(x, 0), 6)",
       "Krizhevsky 2010"},
      {"leaky_relu",
       {},
       {{"slope", 0.01}},
       f::leaky_relu,
       f::leaky_relu_derivative,
       leaky_kink,
       "torch.leaky_relu(x, {slope})",
       {{"leaky_relu", {"negative_slope"}}},
       kNoSource,
       kTarget,
       "x > 0: x; otherwise slope x",
       "Maas et al. 2013"},
      {"hardtanh",
       {},
       {{"lo", -1.0}, {"hi", 1.0}},
       f::hardtanh,
       f::hardtanh_derivative,
       at_bounds,
       "torch.hardtanh(x, {lo}, {hi})",
       {{"hardtanh", {"min_val", "max_val"}}},
       kNoSource,
       kTarget,
       "min(max(x, lo), hi)",
       "",
       hardtanh_fault},
      {"elu",
       {},
       {{"alpha", 1.0}},
       f::elu,
       f::elu_derivative,
       leaky_kink,
       "torch.elu(x, {alpha})",
       {{.op = "elu",
         .parameter_arguments = {"alpha"},
         .required = {{"scale", "1"}, {"input_scale", "1"}}}},
       kSource,
       kNoTarget,
       "x > 0: x; otherwise alpha (e^x - 1)",
       "Clevert et al. 2015"},
      {"selu",
       {},
       {},
       f::selu,
       f::selu_derivative,
       at_zero,
       "torch.selu(x)",
       {{"selu"}},
       kSource,
       kNoTarget,
       "1.0507 elu(x, alpha = 1.6733)",
       "Klambauer et al. 2017"},
      {"celu",
       {},
       {{"alpha", 1.0}},
       f::celu,
       f::celu_derivative,
       smooth,
       "torch.celu(x, {alpha})",
       {{"celu", {"alpha"}}},
       kSource,
       kNoTarget,
       "x > 0: x; otherwise alpha (e^(x / alpha) - 1)",
       "Barron 2017",
       celu_fault},
      {"softplus",
       {},
       {{"beta", 1.0}, {"threshold", 20.0}},
       f::softplus,
       f::softplus_derivative,
       at_threshold,
       "torch.softplus(x, {beta}, {threshold})",
       {{"softplus", {"beta", "threshold"}}},
       kNoSource,
       kNoTarget,
       "log(1 + e^(beta x)) / beta; x where beta x > threshold",
       "Dugas et al. 2000",
       softplus_fault},
      {"tanh",
       {},
       {},
       f::tanh,
       f::tanh_derivative,
       smooth,
       "torch.tanh(x)",
       {{"tanh"}},
       kNoSource,
       kNoTarget,
       "tanh(x)",
       ""},
      {"sigmoid",
       {},
       {},
       f::sigmoid,
       f::sigmoid_derivative,
       smooth,
       "torch.sigmoid(x)",
       {{"sigmoid"}},
       kNoSource,
       kNoTarget,
       "1 / (1 + e^-x)",
       ""},
      {"hardsigmoid",
       {},
       {},
       f::hardsigmoid,
       f::hardsigmoid_derivative,
       at_three,
       "torch.hardsigmoid(x)",
       {{"hardsigmoid"}},
       kNoSource,
       kNoTarget,
       "relu6(x + 3) / 6",
       "Howard et al. 2019"},
      {"softsign",
       {},
       {},
       f::softsign,
       f::softsign_derivative,
       smooth,
       "x / (torch.abs(x) + 1.0)",
       {},
       kNoSource,
       kNoTarget,
       "x / (1 + |x|)",
       "Turian et al. 2009"},
      {"logsigmoid",
       {},
       {},
       f::log_sigmoid,
       f::log_sigmoid_derivative,
       smooth,
       "torch.log_sigmoid(x)",
       {{"log_sigmoid"}},
       kNoSource,
       kNoTarget,
       "-log(1 + e^-x)",
       ""},
      {"tanhshrink",
       {},
       {},
       f::tanhshrink,
       f::tanhshrink_derivative,
       smooth,
       "x - torch.tanh(x)",
       {},
       kNoSource,
       kNoTarget,
       "x - tanh(x)",
       ""},
  };
}

}  // namespace

const std::vector<Activation>& activations() {
  static const std::vector<Activation> kTable = make_table();
  return kTable;
}

}  // namespace actswap
