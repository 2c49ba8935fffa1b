#include <actswap/calibrate/shift_refinement.h>
#include <actswap/calibrate/shift_step.h>

#include <torch/script.h>

#include <algorithm>
#include <cstdint>

namespace actswap {

namespace {

// Of a step, which is tried on all of them.
constexpr std::int64_t kLeastRefinedRows = 2048;
constexpr std::int64_t kRefinedRowsPerFeature = 4;

constexpr double kStep = 1e-2;  // of the derivative; a kink counts half on both sides

LayerRows thinned(const LayerRows& rows, std::int64_t every) {
  if (every == 1) {
    return rows;
  }
  if (rows.number.defined()) {
    const auto chosen = torch::nonzero(rows.number.remainder(every).eq(0)).squeeze(1);
    return {.x = rows.x.index_select(1, chosen),
            .lacking = rows.lacking.index_select(1, chosen),
            .site_input = rows.site_input.index_select(1, chosen),
            .inside = rows.inside.defined() ? rows.inside.index_select(0, chosen) : rows.inside};
  }
  const auto count = rows.x.size(1);
  return {.x = rows.x.slice(1, 0, count, every),
          .lacking = rows.lacking.slice(1, 0, count, every),
          .site_input = rows.site_input.slice(1, 0, count, every),
          .inside = rows.inside.defined() ? rows.inside.slice(0, 0, count, every) : rows.inside};
}

}  // namespace

void ShiftRefinement::note(const Regression::Correction& correction) {
  const auto weight = weight_of_rows(layer_, correction.weight);
  const auto offset = correction.offset.to(torch::kFloat);
  for (auto& rows : rows_) {
    rows.lacking -= torch::bmm(rows.x, weight) + offset;
  }
}

torch::Tensor ShiftRefinement::of_features(const torch::Tensor& channels) const {
  return channels.to(torch::kFloat).repeat_interleave(taps_of(layer_));
}

// The change of the layer's input if the site's input changes. Padding stays 0, whatever the
// function gives for 0; affines may stand between site and layer.
torch::Tensor ShiftRefinement::difference(const LayerRows& rows, const torch::Tensor& from,
                                          const torch::Tensor& to) const {
  auto found = function_(to) - function_(from);
  if (layer_.site_scale.defined()) {
    found = found * of_features(layer_.site_scale.expand({layer_.weight.size(1)}));
  }
  return rows.inside.defined() ? found * rows.inside : found;
}

torch::Tensor ShiftRefinement::step() const {
  std::int64_t count = 0;
  for (const auto& rows : rows_) {
    count += rows.is_held_out ? 0 : rows.x.size(1);
  }
  count = together_.sum(count);
  const auto wanted = std::max(kLeastRefinedRows, kRefinedRowsPerFeature * features_of(layer_));
  const auto every = std::max<std::int64_t>(1, count / wanted);
  ShiftStep step(layer_);
  for (const auto& rows : rows_) {
    if (rows.is_held_out) {
      continue;
    }
    const auto some = thinned(rows, every);
    const auto& z = some.site_input;
    step.add(some, difference(some, z - kStep, z + kStep) / (2.0 * kStep));
  }
  step.add_up(together_);
  return step.solve();
}

Regression::Correction ShiftRefinement::move(const torch::Tensor& shift) {
  const auto weight = weight_of_rows(layer_, layer_.weight);
  Regression regression(layer_, together_);
  for (auto& rows : rows_) {
    const auto site_input = rows.site_input + of_features(shift);
    const auto change = difference(rows, rows.site_input, site_input);
    rows.lacking = rows.lacking - torch::bmm(change, weight);
    rows.x = rows.x + change;
    rows.site_input = site_input;
    regression.add(rows);
  }
  return regression.solve();
}

}  // namespace actswap
