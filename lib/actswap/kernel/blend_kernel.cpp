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

// Everything in double, one element after the other: the table's own functions.
class ExactBlend {
 public:
  ExactBlend(const ActivationSpec& source, const ActivationSpec& target, double t,
             const Channels* channels)
      : source_(source), target_(target), t_(std::clamp(t, 0.0, 1.0)), channels_(channels) {}

  double value(double x, std::int64_t element) const {
    const Place place = at(element);
    const double from = t_ < 1.0 ? (1.0 - t_) * source_.value(x) : 0.0;
    return t_ > 0.0 ? from + t_ * (place.a * target_.value(x + place.d) + place.b) : from;
  }

  double gradient(double x, double g, std::int64_t element, ChannelGradients* sums) const {
    const Place place = at(element);
    const double from = t_ < 1.0 ? (1.0 - t_) * source_.derivative(x) : 0.0;
    if (t_ <= 0.0) {
      return g * from;
    }
    const double slope = place.a * target_.derivative(x + place.d);
    if (sums != nullptr) {
      sums->a[place.channel] += g * t_ * target_.value(x + place.d);
      sums->d[place.channel] += g * t_ * slope;
      sums->b[place.channel] += g * t_;
    }
    return g * (from + t_ * slope);
  }

 private:
  struct Place {
    double a = 1.0;
    double d = 0.0;
    double b = 0.0;
    std::size_t channel = 0;
  };

  Place at(std::int64_t element) const {
    if (channels_ == nullptr) {
      return {};
    }
    const auto channel = static_cast<std::size_t>(channels_->channel(element));
    const ChannelCalibration& all = channels_->calibration();
    return {all.a[channel], all.d[channel], all.b[channel], channel};
  }

  const ActivationSpec& source_;
  const ActivationSpec& target_;
  double t_;
  const Channels* channels_;
};

void add(const EntrySums& entries, const Channels& channels, ChannelGradients& sums) {
  const double t = channels.t();
  for (std::size_t i = 0; i < entries.value.size(); ++i) {
    const auto channel =
        static_cast<std::size_t>(channels.channel(static_cast<std::int64_t>(i) * channels.run()));
    sums.a[channel] += t * entries.value[i];
    sums.d[channel] += t * channels.calibration().a[channel] * entries.slope[i];
    sums.b[channel] += t * entries.gradient[i];
  }
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

void BlendKernel::forward(Element element, double t, const Channels* channels, const void* x,
                          void* out, std::int64_t begin, std::int64_t end) const {
  if (element == Element::float64) {
    const ExactBlend exact(exact_source_, exact_target_, t, channels);
    for (std::int64_t i = begin; i < end; ++i) {
      static_cast<double*>(out)[i] = exact.value(static_cast<const double*>(x)[i], i);
    }
    return;
  }
  forward_float({source_, target_, static_cast<float>(t), channels, element,
                 static_cast<std::size_t>(begin), static_cast<std::size_t>(end - begin)},
                advance(x, element, begin), advance(out, element, begin));
}

void BlendKernel::backward(Element element, double t, const Channels* channels, const void* x,
                           const void* grad_out, void* grad_x, ChannelGradients* sums,
                           std::int64_t begin, std::int64_t end) const {
  if (element == Element::float64) {
    const ExactBlend exact(exact_source_, exact_target_, t, channels);
    for (std::int64_t i = begin; i < end; ++i) {
      static_cast<double*>(grad_x)[i] =
          exact.gradient(static_cast<const double*>(x)[i], static_cast<const double*>(grad_out)[i],
                         i, channels ? sums : nullptr);
    }
    return;
  }
  const bool with_sums = sums != nullptr && channels != nullptr && t > 0.0;
  EntrySums entries(with_sums ? channels->entries() : 0);
  backward_float({source_, target_, static_cast<float>(t), channels, element,
                  static_cast<std::size_t>(begin), static_cast<std::size_t>(end - begin)},
                 advance(x, element, begin), advance(grad_out, element, begin),
                 advance(grad_x, element, begin), with_sums ? &entries : nullptr);
  if (with_sums) {
    add(entries, *channels, *sums);
  }
}

}  // namespace actswap
