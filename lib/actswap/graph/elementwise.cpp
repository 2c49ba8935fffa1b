#include <actswap/graph/elementwise.h>

#include <algorithm>
#include <cmath>
#include <unordered_map>

namespace actswap {

namespace {

// As ATen's: NaN where either is.
double larger(double a, double b) {
  return std::isnan(b) ? b : std::max(a, b);
}
double smaller(double a, double b) {
  return std::isnan(b) ? b : std::min(a, b);
}

double log_add_exp(double a, double b) {
  return std::max(a, b) + std::log1p(std::exp(-std::abs(a - b)));
}

const std::unordered_map<std::string, Elementwise>& table() {
  static const std::unordered_map<std::string, Elementwise> kOperators = {
      {"mul", {2, [](const Arguments& a) { return a[0] * a[1]; }}},
      {"div", {2, [](const Arguments& a) { return a[0] / a[1]; }}},
      {"true_divide", {2, [](const Arguments& a) { return a[0] / a[1]; }}},
      {"add", {3, [](const Arguments& a) { return a[0] + a[1] * a[2]; }}},
      {"sub", {3, [](const Arguments& a) { return a[0] - a[1] * a[2]; }}},
      {"rsub", {3, [](const Arguments& a) { return a[1] - a[0] * a[2]; }}},
      {"addcmul", {4, [](const Arguments& a) { return a[0] + a[3] * a[1] * a[2]; }}},
      {"pow", {2, [](const Arguments& a) { return std::pow(a[0], a[1]); }}},
      {"max", {2, [](const Arguments& a) { return larger(a[0], a[1]); }, 2}},
      {"min", {2, [](const Arguments& a) { return smaller(a[0], a[1]); }, 2}},
      {"maximum", {2, [](const Arguments& a) { return larger(a[0], a[1]); }}},
      {"minimum", {2, [](const Arguments& a) { return smaller(a[0], a[1]); }}},
      {"where", {3, [](const Arguments& a) { return a[0] != 0.0 ? a[1] : a[2]; }}},
      {"ge",
       {2, [](const Arguments& a) { return a[0] >= a[1] ? 1.0 : 0.0; }, 2, TypeRule::boolean}},
      {"gt", {2, [](const Arguments& a) { return a[0] > a[1] ? 1.0 : 0.0; }, 2, TypeRule::boolean}},
      {"le",
       {2, [](const Arguments& a) { return a[0] <= a[1] ? 1.0 : 0.0; }, 2, TypeRule::boolean}},
      {"lt", {2, [](const Arguments& a) { return a[0] < a[1] ? 1.0 : 0.0; }, 2, TypeRule::boolean}},
      {"clamp_min", {2, [](const Arguments& a) { return larger(a[0], a[1]); }}},
      {"clamp_max", {2, [](const Arguments& a) { return smaller(a[0], a[1]); }}},
      {"exp", {1, [](const Arguments& a) { return std::exp(a[0]); }}},
      {"expm1", {1, [](const Arguments& a) { return std::expm1(a[0]); }}},
      {"log", {1, [](const Arguments& a) { return std::log(a[0]); }}},
      {"log1p", {1, [](const Arguments& a) { return std::log1p(a[0]); }}},
      {"erf", {1, [](const Arguments& a) { return std::erf(a[0]); }}},
      {"erfc", {1, [](const Arguments& a) { return std::erfc(a[0]); }}},
      {"special_ndtr",
       {1, [](const Arguments& a) { return 0.5 * std::erfc(-a[0] / std::sqrt(2.0)); }}},
      {"logaddexp", {2, [](const Arguments& a) { return log_add_exp(a[0], a[1]); }}},
      {"threshold", {3, [](const Arguments& a) { return a[0] > a[1] ? a[0] : a[2]; }}},
      {"masked_fill", {3, [](const Arguments& a) { return a[1] != 0.0 ? a[2] : a[0]; }}},
      {"zeros_like", {1, [](const Arguments&) { return 0.0; }, 1, TypeRule::as_option}},
      {"ones_like", {1, [](const Arguments&) { return 1.0; }, 1, TypeRule::as_option}},
      {"full_like", {2, [](const Arguments& a) { return a[1]; }, 2, TypeRule::as_option}},
      {"sign", {1, [](const Arguments& a) { return a[0] > 0.0   ? 1.0
                                                   : a[0] < 0.0 ? -1.0
                                                                : a[0]; }}},
      {"neg", {1, [](const Arguments& a) { return -a[0]; }}},
      {"abs", {1, [](const Arguments& a) { return std::abs(a[0]); }}},
      {"square", {1, [](const Arguments& a) { return a[0] * a[0]; }}},
      {"sqrt", {1, [](const Arguments& a) { return std::sqrt(a[0]); }}},
      {"rsqrt", {1, [](const Arguments& a) { return 1.0 / std::sqrt(a[0]); }}},
      {"reciprocal", {1, [](const Arguments& a) { return 1.0 / a[0]; }}}};
  return kOperators;
}

}  // namespace

const Elementwise* find_elementwise(const std::string& name, std::size_t arguments) {
  const auto found = table().find(name);
  if (found == table().end()) {
    return nullptr;
  }
  const auto& operation = found->second;
  const bool fits = arguments >= operation.needed &&
                    (operation.type == TypeRule::as_option || arguments <= operation.operands);
  return fits ? &operation : nullptr;
}

}  // namespace actswap
