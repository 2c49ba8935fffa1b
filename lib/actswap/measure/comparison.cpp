#include <actswap/measure/comparison.h>

#include <algorithm>

namespace actswap {

namespace {

std::optional<ClassFall> worst_class(const Evaluation& before, const Evaluation& after) {
  std::optional<ClassFall> worst;
  const auto classes = std::min(before.per_class.size(), after.per_class.size());
  for (std::size_t i = 0; i < classes; ++i) {
    const ClassFall fall{i, before.per_class[i], after.per_class[i]};
    const double lost = fall.before - fall.after;
    // A class without examples is not a number, and less than nothing.
    if (worst ? lost > worst->before - worst->after : lost == lost) {
      worst = fall;
    }
  }
  return worst;
}

}  // namespace

std::optional<Comparison> compare(const Evaluation& model, const Evaluation& reference) {
  if (!model.example_values.defined() || !reference.example_values.defined()) {
    return std::nullopt;
  }
  return Comparison{.difference = paired_difference(model, reference),
                    .loss_difference = paired_loss_difference(model, reference),
                    .worst_class = worst_class(reference, model)};
}

Interval over_seeds_against(const std::vector<SeedResult>& seeds, const Evaluation& original) {
  std::vector<double> differences;
  differences.reserve(seeds.size());
  for (const auto& each : seeds) {
    differences.push_back(each.retargeted.evaluation->value - original.value);
  }
  return mean_interval(differences);
}

Interval over_seeds_against_control(const std::vector<SeedResult>& seeds) {
  std::vector<double> differences;
  differences.reserve(seeds.size());
  for (const auto& each : seeds) {
    differences.push_back(each.retargeted.evaluation->value - each.control->evaluation->value);
  }
  return mean_interval(differences);
}

}  // namespace actswap
