#include <actswap/kernel/blend_float.h>
#include <actswap/kernel/blend_kernel.h>

#include <algorithm>
#include <cmath>
#include <string_view>
#include <type_traits>
#include <utility>

namespace actswap {

namespace {

struct NamedRow {
  std::string_view name;
  KernelRow row;
};

#define ACTSWAP_ROW(name, type) {#name, KernelRow::name},
constexpr NamedRow kSources[] = {ACTSWAP_KERNEL_SOURCES(ACTSWAP_ROW)};
constexpr NamedRow kTargets[] = {ACTSWAP_KERNEL_TARGETS(ACTSWAP_ROW)};
#undef ACTSWAP_ROW

std::optional<KernelRow> row_named(std::span<const NamedRow> rows, std::string_view name) {
  const auto* const at = std::find_if(rows.data(), rows.data() + rows.size(),
                                      [&](const NamedRow& row) { return row.name == name; });
  return at == rows.data() + rows.size() ? std::nullopt : std::optional(at->row);
}

// Single precision neither overflows nor loses digits, and where a parameter is a factor inside the
// function the vector code divides by it.
bool fits(const ActivationSpec& spec) {
  const auto& name = spec.activation->name;
  if (name == "celu") {
    return spec.parameters[0] >= 1e-9 && spec.parameters[0] <= 1e9;
  }
  const std::size_t factor = name == "aptx" ? 1 : name == "swish" || name == "softplus" ? 0 : 99;
  for (std::size_t i = 0; i < spec.parameters.size(); ++i) {
    const double size = std::abs(spec.parameters[i]);
    if (size > 1e9 || (size < 1e-9 && (size != 0.0 || i == factor))) {
      return false;
    }
  }
  return true;
}

std::optional<BlendKernel::Function> function(std::span<const NamedRow> rows,
                                              const ActivationSpec& spec) {
  auto row = row_named(rows, spec.to_string());
  if (!row) {
    row = row_named(rows, spec.activation->name);
  }
  if (!row || !fits(spec)) {
    return std::nullopt;
  }
  BlendKernel::Function result{*row, {}};
  std::transform(spec.parameters.begin(), spec.parameters.end(), result.parameters.begin(),
                 [](double value) { return static_cast<float>(value); });
  return result;
}

// In double, one element after the other, by the table's own functions; at the ends of t only one.
// `of` gives a function's value or derivative.
template <class Of>
double exact_blend(const ActivationSpec& source, const ActivationSpec& target, double t, Of of) {
  return t <= 0.0 ? of(source) : t >= 1.0 ? of(target) : (1.0 - t) * of(source) + t * of(target);
}

std::size_t element_size(Element element) {
  return element == Element::float64 ? 8 : element == Element::float32 ? 4 : 2;
}

template <class Pointer>
Pointer advance(Pointer memory, Element element, std::int64_t elements) {
  using Byte =
      std::conditional_t<std::is_const_v<std::remove_pointer_t<Pointer>>, const char, char>;
  return static_cast<Byte*>(memory) + static_cast<std::size_t>(elements) * element_size(element);
}

}  // namespace

bool has_source_kernel(const Activation& row) {
  return row_named(kSources, row.name).has_value();
}

bool has_target_kernel(const Activation& row) {
  return row_named(kTargets, row.name).has_value();
}

BlendKernel::BlendKernel(Function source, Function target, ActivationSpec exact_source,
                         ActivationSpec exact_target)
    : source_(source),
      target_(target),
      exact_source_(std::move(exact_source)),
      exact_target_(std::move(exact_target)) {}

std::optional<BlendKernel> BlendKernel::find(const ActivationSpec& source,
                                             const ActivationSpec& target) {
  const auto from = function(kSources, source);
  const auto to = function(kTargets, target);
  if (!from || !to) {
    return std::nullopt;
  }
  return BlendKernel(*from, *to, source, target);
}

void BlendKernel::forward(Element element, double t, const void* x, void* out, std::int64_t begin,
                          std::int64_t end) const {
  if (element == Element::float64) {
    for (std::int64_t i = begin; i < end; ++i) {
      const double at = static_cast<const double*>(x)[i];
      static_cast<double*>(out)[i] =
          exact_blend(exact_source_, exact_target_, t,
                      [at](const ActivationSpec& row) { return row.value(at); });
    }
    return;
  }
  forward_float(
      {source_, target_, static_cast<float>(t), element, static_cast<std::size_t>(end - begin)},
      advance(x, element, begin), advance(out, element, begin));
}

void BlendKernel::backward(Element element, double t, const void* x, const void* grad_out,
                           void* grad_x, std::int64_t begin, std::int64_t end) const {
  if (element == Element::float64) {
    for (std::int64_t i = begin; i < end; ++i) {
      const double at = static_cast<const double*>(x)[i];
      static_cast<double*>(grad_x)[i] =
          static_cast<const double*>(grad_out)[i] *
          exact_blend(exact_source_, exact_target_, t,
                      [at](const ActivationSpec& row) { return row.derivative(at); });
    }
    return;
  }
  backward_float(
      {source_, target_, static_cast<float>(t), element, static_cast<std::size_t>(end - begin)},
      advance(x, element, begin), advance(grad_out, element, begin),
      advance(grad_x, element, begin));
}

}  // namespace actswap
