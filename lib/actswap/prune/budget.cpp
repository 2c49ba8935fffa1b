#include <actswap/base/error.h>
#include <actswap/prune/budget.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>

namespace actswap {

namespace {

// The loss counted for a group that has lost this much or more; finite, to be comparable.
constexpr double kMostLoss = 1.0 - 1e-9;

double log_loss(double loss) {
  return -std::log1p(-std::min(loss, kMostLoss));
}

std::string shown(double value) {
  char text[32];
  const auto [end, error] =
      std::to_chars(text, text + sizeof text, value, std::chars_format::general, 10);
  return {text, end};
}

// The next lower number of units; none: the group gives no more.
std::optional<std::int64_t> next_lower(const GroupCurve& group, std::int64_t kept,
                                       std::int64_t round) {
  const auto multiple = round > 0 ? round : usual_multiple(group.units);
  const auto next = (kept - 1) / multiple * multiple;
  return next >= std::max(multiple, group.least) ? std::optional(next) : std::nullopt;
}

// The next higher one; none: the group has all of its units that do something.
std::optional<std::int64_t> next_higher(const GroupCurve& group, std::int64_t kept,
                                        std::int64_t round) {
  const auto multiple = round > 0 ? round : usual_multiple(group.units);
  const auto next = std::min(group.units, kept + multiple);
  return kept < group.units - group.dead ? std::optional(next) : std::nullopt;
}

double loss_of(const GroupCurve& group, std::int64_t kept) {
  return log_loss(group.loss.at(static_cast<std::size_t>(group.units - kept)));
}

// The last multiples may have saved more than needed: units that have room come back, first those
// whose removal lost most.
void give_back(const std::vector<GroupCurve>& groups,
               const std::function<double(const std::vector<std::int64_t>& kept)>& size,
               double target, std::int64_t round, std::vector<std::int64_t>& kept) {
  for (;;) {
    std::optional<std::size_t> best;
    double most = 0.0;
    for (std::size_t i = 0; i < groups.size(); ++i) {
      const auto next = next_higher(groups[i], kept[i], round);
      const double gain = next ? loss_of(groups[i], kept[i]) - loss_of(groups[i], *next) : 0.0;
      if (gain <= most) {
        continue;
      }
      auto more = kept;
      more[i] = *next;
      if (size(more) <= target) {
        best = i;
        most = gain;
      }
    }
    if (!best) {
      return;
    }
    kept[*best] = *next_higher(groups[*best], kept[*best], round);
  }
}

}  // namespace

double SizedTensor::elements(const std::vector<std::int64_t>& kept) const {
  double product = 1.0;
  for (const auto& dimension : dimensions) {
    double size = dimension.fixed;
    for (const auto& [group, width] : dimension.units) {
      size += width * static_cast<double>(kept.at(group));
    }
    product *= size;
  }
  return product;
}

double SizeModel::parameters(const std::vector<std::int64_t>& kept) const {
  double sum = other_parameters;
  for (const auto& tensor : tensors) {
    sum += tensor.is_parameter ? tensor.elements(kept) : 0.0;
  }
  return sum;
}

double SizeModel::prunable_multiplications(const std::vector<std::int64_t>& kept) const {
  double sum = 0.0;
  for (const auto& tensor : tensors) {
    sum += tensor.multiplications * tensor.elements(kept);
  }
  return sum;
}

PruneBudget PruneBudget::parse(std::string_view text) {
  const auto refuse = [&]() -> UsageError {
    return UsageError(
        "Expected a latency like 0.6x or a number of parameters like 2M, 500k or 1500000, but got "
        "'" +
        std::string(text) + "'");
  };
  double value = 0.0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || !std::isfinite(value)) {
    throw refuse();
  }
  const std::string_view unit(end, static_cast<std::size_t>(text.data() + text.size() - end));
  PruneBudget budget = {.kind = Kind::parameters, .value = value};
  if (unit == "x") {
    budget.kind = Kind::latency;
  } else if (unit == "k" || unit == "K") {
    budget.value *= 1e3;
  } else if (unit == "M") {
    budget.value *= 1e6;
  } else if (unit == "G" || unit == "B") {
    budget.value *= 1e9;
  } else if (!unit.empty()) {
    throw refuse();
  }
  budget.validate();
  return budget;
}

void PruneBudget::validate() const {
  switch (kind) {
    case Kind::multiplications:
      if (!(value > 0.0 && value < 1.0)) {
        throw UsageError("Expected a share to prune above 0 and below 1 (--prune), but got " +
                         shown(value));
      }
      return;
    case Kind::latency:
      if (!(value > 0.0 && value < 1.0)) {
        throw UsageError(
            "Expected a latency above 0x and below 1x, a share of the latency before "
            "(--prune-to), but got " +
            shown(value) + "x");
      }
      return;
    case Kind::parameters:
      if (!(value >= 1.0 && std::isfinite(value))) {
        throw UsageError("Expected 1 parameter or more (--prune-to), but got " + shown(value) +
                         "; a share of the latency is written 0.6x");
      }
      return;
  }
}

std::string to_string(const PruneBudget& budget) {
  switch (budget.kind) {
    case PruneBudget::Kind::multiplications:
      return "by " + shown(100.0 * budget.value) + " % of the multiplications that can be pruned";
    case PruneBudget::Kind::latency:
      return "to " + shown(budget.value) + " of the latency";
    case PruneBudget::Kind::parameters:
      return "to " + shown(budget.value) + " parameters";
  }
  return "";
}

std::int64_t usual_multiple(std::int64_t units) {
  constexpr std::int64_t kMany = 32;
  constexpr std::int64_t kSome = 16;
  return units >= kMany ? 8 : units >= kSome ? 4 : 1;
}

std::vector<std::int64_t> choose_counts(
    const std::vector<GroupCurve>& groups,
    const std::function<double(const std::vector<std::int64_t>& kept)>& size, double target,
    std::int64_t round) {
  std::vector<std::int64_t> kept;
  for (const auto& group : groups) {
    auto count = group.units;
    while (const auto next = next_lower(group, count, round)) {
      if (*next < group.units - group.dead) {
        break;
      }
      count = *next;
    }
    kept.push_back(count);
  }
  while (size(kept) > target) {
    std::optional<std::size_t> best;
    double best_price = std::numeric_limits<double>::infinity();
    const double before = size(kept);
    for (std::size_t i = 0; i < groups.size(); ++i) {
      const auto next = next_lower(groups[i], kept[i], round);
      if (!next) {
        continue;
      }
      auto fewer = kept;
      fewer[i] = *next;
      const double saved = before - size(fewer);
      const double lost = loss_of(groups[i], *next) - loss_of(groups[i], kept[i]);
      const double price = std::max(0.0, lost) / std::max(saved, 1e-300);
      if (!best || price < best_price) {
        best = i;
        best_price = price;
      }
    }
    if (!best) {
      break;
    }
    kept[*best] = *next_lower(groups[*best], kept[*best], round);
  }
  give_back(groups, size, target, round, kept);
  return kept;
}

}  // namespace actswap
