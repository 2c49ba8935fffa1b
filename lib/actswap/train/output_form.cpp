#include <actswap/base/error.h>
#include <actswap/calibrate/difference.h>
#include <actswap/run/compare.h>
#include <actswap/train/losses.h>
#include <actswap/train/output_form.h>

#include <torch/script.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <sstream>

namespace actswap {

namespace {

// Of sums and lengths that are meant to be 1.
constexpr double kRounding = 1e-3;
constexpr double kRoundingOfHalf = 1e-2;
// Of each channel, for a variance of its own.
constexpr std::int64_t kFewestValues = 8;
// A channel's deviation counts as no less than this share of all channels'.
constexpr double kLeastDeviation = 1e-2;
// Logits of different classes do not differ more in their deviations.
constexpr double kMostUnequal = 10.0;
// Classes and vectors of which a sample says too little divide by no less: in nats, and 1 - cosine.
constexpr double kLeastDivergence = 0.05;
constexpr double kLeastProbability = 1e-8;

bool is_near_one(const torch::Tensor& values, double rounding) {
  return ((values - 1.0).abs() <= rounding).all().item<bool>();
}

// The mean over all dimensions but this one, which stay with size 1.
std::vector<std::int64_t> all_but(const torch::Tensor& values, std::int64_t dim) {
  std::vector<std::int64_t> others;
  for (std::int64_t i = 0; i < values.dim(); ++i) {
    if (i != dim) {
      others.push_back(i);
    }
  }
  return others;
}

torch::Tensor mean_by_channel(const torch::Tensor& values, std::int64_t dim) {
  return dim == 0 ? values.mean() : values.mean(all_but(values, dim), /*keepdim=*/true);
}

torch::Tensor variance_by_channel(const torch::Tensor& values, std::int64_t dim) {
  return mean_by_channel((values - mean_by_channel(values, dim)).square(), dim);
}

// How much of the variance is explained by the place along a dimension, beyond what chance does.
double explained_by(const torch::Tensor& values, std::int64_t dim) {
  const auto total = values.var(/*unbiased=*/false).item<double>();
  const auto between = mean_by_channel(values, dim).var(/*unbiased=*/false).item<double>();
  const auto chance = total * static_cast<double>(values.size(dim) - 1) /
                      static_cast<double>(std::max<std::int64_t>(1, values.numel()));
  return total > 0.0 ? (between - chance) / total : 0.0;
}

// All but the first that hold more than one element: 1, the last, and those between.
std::vector<std::int64_t> dimensions(const torch::Tensor& values) {
  std::vector<std::int64_t> found;
  const auto add = [&](std::int64_t dim) {
    if (dim > 0 && dim < values.dim() && values.size(dim) > 1 &&
        std::find(found.begin(), found.end(), dim) == found.end()) {
      found.push_back(dim);
    }
  };
  add(1);
  add(values.dim() - 1);
  for (std::int64_t dim = 2; dim < values.dim(); ++dim) {
    add(dim);
  }
  return found;
}

// Images have their channels second; of N x A x B the values tell.
std::int64_t channel_dim(const torch::Tensor& values) {
  const auto dims = dimensions(values);
  if (values.dim() == 4) {
    return values.size(1) > 1 ? 1 : 0;
  }
  std::int64_t best = 0;
  double most = 0.0;
  for (const auto dim : dims) {
    const double explained = explained_by(values, dim);
    if (best == 0 || explained > most) {
      best = dim;
      most = explained;
    }
  }
  return best;
}

// 0, where the kind is found by no dimension.
std::int64_t dimension_where(const torch::Tensor& values,
                             const std::function<bool(std::int64_t)>& holds) {
  for (const auto dim : dimensions(values)) {
    if (holds(dim)) {
      return dim;
    }
  }
  return 0;
}

torch::Tensor bool_by_channel(const torch::Tensor& holds, std::int64_t dim) {
  auto found = holds;
  for (const auto other : all_but(holds, dim)) {
    found = found.all(other, /*keepdim=*/true);
  }
  return found;
}

/// The evidence in one tensor of the original's.
class Evidence {
 public:
  explicit Evidence(const torch::Tensor& output)
      : output_(output),
        values_(finite_part(output).to(torch::kDouble)),
        rounding_(output.element_size() < 4 ? kRoundingOfHalf : kRounding) {}

  OutputForm form(std::optional<std::int64_t> class_dim, bool is_regression) const {
    OutputForm form;
    form.shape = output_.sizes().vec();
    if (!output_.is_floating_point() || !has_finite(output_) || is_constant()) {
      return form;
    }
    find_kind(form, class_dim, is_regression);
    if (form.kind == OutputKind::values || form.kind == OutputKind::scores) {
      weigh(form);
    }
    if (form.has_classes()) {
      form.divergence = std::max(kLeastDivergence, divergence_of_mean(form));
    } else if (form.kind == OutputKind::embeddings) {
      const auto mean = values_.mean(all_but(values_, form.dim), /*keepdim=*/true);
      const auto cosine = torch::cosine_similarity(values_, mean.expand_as(values_), form.dim);
      form.divergence = std::max(kLeastDivergence, 1.0 - cosine.mean().item<double>());
    }
    return form;
  }

 private:
  bool is_constant() const { return (values_.max() - values_.min()).item<double>() == 0.0; }

  bool are_probabilities(std::int64_t dim) const {
    return values_.min().item<double>() >= -rounding_ && is_near_one(values_.sum(dim), rounding_);
  }

  bool are_log_probabilities(std::int64_t dim) const {
    return values_.max().item<double>() <= rounding_ &&
           is_near_one(output_.to(torch::kDouble).exp().sum(dim), rounding_);
  }

  void find_kind(OutputForm& form, std::optional<std::int64_t> class_dim,
                 bool is_regression) const {
    const auto found = [&](OutputKind kind, std::int64_t dim) {
      form.kind = kind;
      form.dim = dim;
    };
    if (class_dim) {
      const auto dim = at::maybe_wrap_dim(*class_dim, output_.dim());
      return found(are_probabilities(dim)       ? OutputKind::probabilities
                   : are_log_probabilities(dim) ? OutputKind::log_probabilities
                                                : OutputKind::logits,
                   dim);
    }
    if (!is_regression) {
      if (const auto dim = dimension_where(values_, [&](auto d) { return are_probabilities(d); })) {
        return found(OutputKind::probabilities, dim);
      }
      if (const auto dim =
              dimension_where(values_, [&](auto d) { return are_log_probabilities(d); })) {
        return found(OutputKind::log_probabilities, dim);
      }
      const auto has_length_one = [&](std::int64_t dim) {
        return is_near_one(values_.square().sum(dim), rounding_);
      };
      if (const auto dim = dimension_where(values_, has_length_one)) {
        return found(OutputKind::embeddings, dim);
      }
    }
    const auto of_both_sorts = dimension_where(values_, [&](auto d) { return has_both_sorts(d); });
    const auto dim = of_both_sorts > 0 ? of_both_sorts : channel_dim(values_);
    found(!is_regression && dim > 0 && may_be_logits(dim) ? OutputKind::scores : OutputKind::values,
          dim);
  }

  // Not what a sigmoid or a tanh gives, and alike for all classes.
  bool may_be_logits(std::int64_t dim) const {
    if ((values_.abs() <= 1.0).all().item<bool>() || is_in_unit_interval(dim).any().item<bool>()) {
      return false;
    }
    if (values_.numel() / values_.size(dim) < kFewestValues) {
      return true;
    }
    const auto deviations = variance_by_channel(values_, dim).sqrt();
    return (deviations.max() <= kMostUnequal * deviations.min()).item<bool>();
  }

  // What is the same everywhere is padding.
  torch::Tensor is_in_unit_interval(std::int64_t dim) const {
    return bool_by_channel((values_ >= 0.0).logical_and(values_ <= 1.0), dim)
        .logical_and(variance_by_channel(values_, dim) > 0.0);
  }

  // Scores beside boxes say that their dimension is that of the channels.
  bool has_both_sorts(std::int64_t dim) const {
    const auto is_unit = is_in_unit_interval(dim);
    return values_.numel() / values_.size(dim) >= kFewestValues && is_unit.any().item<bool>() &&
           !is_unit.all().item<bool>();
  }

  // One variance for all that are in [0, 1]: of a class that is in none of the examples there is
  // next to none.
  void weigh(OutputForm& form) const {
    if (form.dim == 0 || values_.numel() / values_.size(form.dim) < kFewestValues) {
      form.weights = 1.0 / variance_by_channel(values_, 0);
      return;
    }
    const auto variances = variance_by_channel(values_, form.dim);
    const auto is_unit = is_in_unit_interval(form.dim);
    const auto pooled = [&](const torch::Tensor& members) {
      return torch::where(members, variances, 0.0).sum() / members.sum();
    };
    const auto least = pooled(~is_unit) * kLeastDeviation * kLeastDeviation;
    const auto counted = torch::where(is_unit, pooled(is_unit), torch::maximum(variances, least));
    const auto inverse = torch::where(counted > 0.0, 1.0 / counted, 0.0);
    const auto members = torch::where(is_unit, is_unit.sum(), (~is_unit).sum());
    const double sorts = is_unit.any().item<bool>() && !is_unit.all().item<bool>() ? 2.0 : 1.0;
    form.weights = inverse * (static_cast<double>(variances.numel()) / sorts) / members;
  }

  // Of the mean of all probabilities from each.
  double divergence_of_mean(const OutputForm& form) const {
    const auto p = torch::softmax(logits_of(output_.to(torch::kDouble), form.kind), form.dim);
    const auto mean = p.mean(all_but(p, form.dim), /*keepdim=*/true);
    const auto each = torch::xlogy(p, p) - torch::xlogy(p, mean.clamp_min(kLeastProbability));
    const auto found = each.sum(form.dim).mean().item<double>();
    return std::isfinite(found) ? found : 0.0;
  }

  torch::Tensor output_;
  torch::Tensor values_;
  double rounding_;
};

void expect_form(const torch::Tensor& output, const torch::Tensor& original,
                 const OutputForm& form) {
  const bool has_weights = form.weights.defined() && form.weights.numel() > 1;
  if (output.sizes() != original.sizes() ||
      output.dim() != static_cast<std::int64_t>(form.shape.size()) ||
      (has_weights && output.size(form.dim) != form.weights.numel())) {
    std::ostringstream shape;
    shape << at::IntArrayRef(form.shape);
    throw UsageError("Expected an output of the original's shape, with the channels of its first " +
                     shape.str() + ", but got " + describe(output) + " against " +
                     describe(original));
  }
}

std::string by_channels(const OutputForm& form) {
  return form.weights.numel() > 1 ? ", by channels of dimension " + std::to_string(form.dim) : "";
}

}  // namespace

bool OutputForm::has_classes() const {
  return kind == OutputKind::probabilities || kind == OutputKind::log_probabilities ||
         kind == OutputKind::logits || kind == OutputKind::scores;
}

std::vector<OutputForm> find_output_forms(const std::vector<torch::Tensor>& outputs,
                                          const OutputHints& hints) {
  const torch::NoGradGuard no_grad;
  std::vector<OutputForm> forms;
  for (const auto& output : outputs) {
    const bool is_first = forms.empty();
    const bool has_dim = hints.class_dim && output.dim() > 1 && *hints.class_dim != 0 &&
                         *hints.class_dim < output.dim() && *hints.class_dim > -output.dim();
    if (is_first && hints.class_dim && !has_dim) {
      throw UsageError("Expected the classes in a dimension of the model's output (" +
                       describe(output) + ") but the first, but got " +
                       std::to_string(*hints.class_dim));
    }
    if (is_first && has_dim && output.size(*hints.class_dim) < 2) {
      throw UsageError("Expected two classes or more in dimension " +
                       std::to_string(*hints.class_dim) + " of the model's output, but it gives " +
                       describe(output));
    }
    const bool is_told =
        has_dim && output.size(*hints.class_dim) > 1 && (is_first || hints.is_of_all);
    forms.push_back(Evidence(output).form(is_told ? hints.class_dim : std::nullopt,
                                          is_first && hints.is_regression));
  }
  return forms;
}

std::string to_string(const OutputForm& form) {
  const auto dim = std::to_string(form.dim);
  switch (form.kind) {
    case OutputKind::ignored:
      return "no floating-point values that vary: not learnt";
    case OutputKind::values:
      return "values: squared error" + by_channels(form);
    case OutputKind::probabilities:
      return "probabilities in dimension " + dim + ": divergence";
    case OutputKind::log_probabilities:
      return "logarithms of probabilities in dimension " + dim + ": divergence";
    case OutputKind::logits:
      return "logits in dimension " + dim + ": divergence of their softmax";
    case OutputKind::scores:
      return "logits in dimension " + dim +
             " or values, which nothing tells: divergence of their softmax and squared error" +
             by_channels(form);
    case OutputKind::embeddings:
      return "vectors of length 1 in dimension " + dim + ": cosine";
  }
  return "";
}

torch::Tensor logits_of(const torch::Tensor& output, OutputKind kind) {
  return kind == OutputKind::probabilities ? output.clamp_min(kLeastProbability).log() : output;
}

torch::Tensor output_distance(const torch::Tensor& output, const torch::Tensor& original,
                              const OutputForm& form, double temperature) {
  expect_form(output, original, form);
  const auto squares = [&] {
    const auto weights = form.weights.to(output.options().requires_grad(false));
    return (difference(output, original).square() * weights).mean();
  };
  const auto divergence = [&] {
    return distillation(logits_of(output, form.kind), logits_of(original, form.kind), temperature,
                        form.dim) /
           form.divergence;
  };
  switch (form.kind) {
    case OutputKind::values:
      return squares();
    case OutputKind::scores:
      return 0.5 * (squares() + divergence());
    case OutputKind::embeddings:
      return cosine_distance(output.movedim(form.dim, -1), original.movedim(form.dim, -1)) /
             form.divergence;
    default:
      return divergence();
  }
}

}  // namespace actswap
