#include <actswap/calibrate/steps.h>

#include <algorithm>
#include <ranges>

namespace actswap {

namespace {

CalibrationStep step_of(const Program& program, const BlendSite& site) {
  const auto at = program.position(site.call);
  const auto* first = site.producer_node == nullptr ? site.call : site.producer_node;
  return {.position = at,
          .settled = {program.position(first), at},
          .changed = {site.bias, site.weight},
          .site = &site};
}

CalibrationStep step_of(const Program& program, const LayerFits& fits, const Layer& layer) {
  const auto at = program.position(layer.compared->node());
  const auto node = program.position(layer.node);
  const auto* shifted = fits.site_to_refine(layer);
  const auto fitted = shifted == nullptr ? node : program.position(shifted->producer_node);
  // Per channel it is the layer's input that is compared.
  const auto original = fits.is_wide(layer) ? node : at;
  CalibrationStep step = {.position = at,
                          .settled = {fitted, original},
                          .changed = {layer.weight, layer.bias, layer.offset.tensor},
                          .layer = &layer};
  if (shifted != nullptr) {
    step.changed.insert(step.changed.end(), {shifted->bias, shifted->weight});
  }
  return step;
}

CalibrationStep step_of(const Program& program, const BatchNorm& norm) {
  const auto at = program.position(norm.node);
  return {.position = at, .settled = {at, at}, .changed = {norm.weight, norm.bias}, .norm = &norm};
}

}  // namespace

std::vector<CalibrationStep> plan_steps(const Program& program, const Neighbourhood& neighbours,
                                        const LayerFits& fits, bool with_sites) {
  std::vector<CalibrationStep> steps;
  steps.reserve(neighbours.sites.size() + neighbours.layers.size() + neighbours.norms.size());
  for (const auto& site : neighbours.sites) {
    if (with_sites) {
      steps.push_back(step_of(program, site));
    }
  }
  for (const auto& layer : neighbours.layers) {
    steps.push_back(step_of(program, fits, layer));
  }
  for (const auto& norm : neighbours.norms) {
    if (!norm.is_behind_layer) {  // what the layer makes up for is not done again
      steps.push_back(step_of(program, norm));
    }
  }
  std::stable_sort(
      steps.begin(), steps.end(),
      [](const CalibrationStep& a, const CalibrationStep& b) { return a.position < b.position; });
  // No step may need what an earlier one has settled.
  const auto end = program.position(program.graph().return_node());
  BothModels::Settled settled = {end, end};
  for (auto& step : std::views::reverse(steps)) {
    settled.fitted = step.settled.fitted = std::min(settled.fitted, step.settled.fitted);
    settled.original = step.settled.original = std::min(settled.original, step.settled.original);
  }
  return steps;
}

}  // namespace actswap
