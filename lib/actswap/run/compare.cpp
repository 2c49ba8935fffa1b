#include <actswap/run/compare.h>

#include <torch/script.h>

#include <algorithm>
#include <sstream>

namespace actswap {

namespace {

// In float64, which holds every value of the smaller types. A complex number is a pair.
torch::Tensor in_double(const torch::Tensor& tensor) {
  return (tensor.is_complex() ? torch::view_as_real(tensor.resolve_conj()) : tensor)
      .to(torch::kFloat64);
}

std::string type_of(const c10::IValue& value) {
  std::ostringstream text;
  if (value.isTensor()) {
    const auto& tensor = value.toTensor();
    text << "a tensor of " << tensor.scalar_type() << " " << tensor.sizes();
  } else {
    text << value.tagKind();
  }
  return text.str();
}

std::string number_text(double value) {
  std::ostringstream text;
  text << value;
  return text.str();
}

class Comparer {
 public:
  explicit Comparer(double tolerance) : tolerance_(tolerance) {}

  Verification compare(const Outputs& expected, const Outputs& found) {
    result_.outputs = static_cast<std::int64_t>(expected.size());
    if (expected.size() != found.size()) {
      differ("expected " + std::to_string(expected.size()) + " values in the output, but got " +
             std::to_string(found.size()));
      return result_;
    }
    for (std::size_t i = 0; i < expected.size() && !result_.differs; ++i) {
      place_ = expected[i].place.empty() ? "the output" : "the output" + expected[i].place;
      if (expected[i].place != found[i].place) {
        differ("expected " + place_ + ", but got the output" + found[i].place);
      } else {
        compare_values(expected[i].value, found[i].value);
      }
    }
    if (!result_.differs && !(result_.max_rel_diff <= tolerance_)) {
      differ("the largest relative difference is " + number_text(result_.max_rel_diff) +
             ", more than " + number_text(tolerance_));
    }
    if (!result_.differs) {
      decide();
    }
    return result_;
  }

 private:
  void differ(const std::string& reason) {
    result_.differs = true;
    result_.reason = reason;
  }

  // Nothing differs: is there anything that agrees?
  void decide() {
    if (has_continuous_ ? has_finite_ : has_value_) {
      result_.verified = true;
    } else if (has_continuous_) {
      result_.reason = "no finite output was compared: all numbers are NaN or infinite";
    } else {
      result_.reason = "the model gives no output that could be compared";
    }
  }

  void compare_values(const c10::IValue& expected, const c10::IValue& found) {
    if (is_numeric(expected) && is_numeric(found) && expected.isTensor() == found.isTensor()) {
      compare_tensors(plain_tensor(expected), plain_tensor(found));
    } else if (expected.tagKind() != found.tagKind()) {
      differ(place_ + " is " + type_of(found) + "; expected " + type_of(expected));
    } else if (expected.isString()) {
      has_value_ = true;
      if (expected.toStringRef() != found.toStringRef()) {
        differ(place_ + " is '" + found.toStringRef() + "'; expected '" + expected.toStringRef() +
               "'");
      }
    }
  }

  void compare_tensors(const torch::Tensor& expected, const torch::Tensor& found) {
    if (expected.scalar_type() != found.scalar_type() || expected.sizes() != found.sizes()) {
      differ(place_ + " is " + type_of(found) + "; expected " + type_of(expected));
      return;
    }
    has_continuous_ = has_continuous_ || (is_continuous(expected) && expected.numel() > 0);
    if (expected.numel() == 0 || expected.is_meta()) {
      return;
    }
    has_value_ = true;
    const auto wanted = in_double(expected);
    const auto actual = in_double(found);
    const auto finite = wanted.isfinite();
    // NaN equals nothing; elsewhere what is not finite has to be the same infinity.
    const auto same = torch::where(wanted.isnan(), actual.isnan(), actual == wanted);
    if (!torch::where(finite, actual.isfinite(), same).all().item<bool>()) {
      differ(place_ + " is not finite in the same places");
      return;
    }
    if (!finite.any().item<bool>()) {
      return;
    }
    has_finite_ = has_finite_ || is_continuous(expected);
    const auto differences = (actual - wanted).masked_select(finite).abs();
    const auto largest = differences.max().item<double>();
    result_.max_abs_diff = std::max(result_.max_abs_diff, largest);
    if (is_continuous(expected)) {
      const auto scale = wanted.masked_select(finite).abs().max().item<double>();
      result_.max_rel_diff = std::max(result_.max_rel_diff, largest == 0.0 ? 0.0 : largest / scale);
    } else if (const auto count = (expected != found).sum().item<std::int64_t>(); count > 0) {
      differ(std::to_string(count) + " of " + std::to_string(expected.numel()) + " numbers in " +
             place_ + ", which are whole, differ");
    }
  }

  double tolerance_;
  Verification result_;
  std::string place_;            // what is being compared
  bool has_value_ = false;       // of any kind
  bool has_continuous_ = false;  // a floating-point or complex number
  bool has_finite_ = false;      // one that is finite
};

// Where nothing can be wrong.
torch::Tensor same_and_not_finite(const torch::Tensor& y, const torch::Tensor& y0) {
  return torch::where(y0.isnan(), y.isnan(), (y == y0) & y0.isinf());
}

}  // namespace

Verification compare_outputs(const Outputs& expected, const Outputs& found, double tolerance) {
  return Comparer(tolerance).compare(expected, found);
}

Verification combined(const Verification& first, const Verification& second) {
  const auto& decisive = second.differs && !first.differs                       ? second
                         : !first.verified && second.verified && !first.differs ? second
                                                                                : first;
  Verification result = decisive;
  result.max_abs_diff = std::max(first.max_abs_diff, second.max_abs_diff);
  result.max_rel_diff = std::max(first.max_rel_diff, second.max_rel_diff);
  result.outputs = std::max(first.outputs, second.outputs);
  result.is_random = first.is_random || second.is_random;
  return result;
}

bool is_continuous(const torch::Tensor& output) {
  return output.is_floating_point() || output.is_complex();
}

torch::Tensor output_difference(const torch::Tensor& y, const torch::Tensor& y0) {
  const auto ours = in_double(y.detach());
  const auto theirs = in_double(y0.detach());
  return (ours - theirs).masked_fill(same_and_not_finite(ours, theirs), 0.0);
}

torch::Tensor finite_part(const torch::Tensor& output) {
  return torch::nan_to_num(in_double(output.detach()), 0.0, 0.0, 0.0);
}

bool has_finite(const torch::Tensor& output) {
  return in_double(output.detach()).isfinite().any().item<bool>();
}

}  // namespace actswap
