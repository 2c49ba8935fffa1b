#include <actswap/base/error.h>
#include <actswap/pipeline/request.h>

#include <array>
#include <utility>

namespace actswap {

namespace {

constexpr std::array<std::pair<Recipe, const char*>, 4> kRecipes = {
    {{Recipe::calibrated, "calibrated"},
     {Recipe::calibrated_ramp, "calibrated-ramp"},
     {Recipe::ramp, "ramp"},
     {Recipe::hard, "hard"}}};

}  // namespace

Recipe parse_recipe(std::string_view name) {
  std::string known;
  for (const auto& [recipe, text] : kRecipes) {
    if (name == text) {
      return recipe;
    }
    known += (known.empty() ? "" : ", ") + std::string(text);
  }
  throw UsageError("Unknown recipe '" + std::string(name) + "'; expected one of " + known);
}

std::string to_string(Recipe recipe) {
  for (const auto& [known, text] : kRecipes) {
    if (recipe == known) {
      return text;
    }
  }
  return "";
}

bool has_calibration(Recipe recipe) {
  return recipe == Recipe::calibrated || recipe == Recipe::calibrated_ramp;
}

bool has_ramp(Recipe recipe) {
  return recipe == Recipe::ramp || recipe == Recipe::calibrated_ramp;
}

ScheduleUnit parse_schedule_unit(std::string_view name) {
  if (name == "epochs" || name == "steps") {
    return name == "epochs" ? ScheduleUnit::epochs : ScheduleUnit::steps;
  }
  throw UsageError("Unknown unit '" + std::string(name) + "'; expected epochs or steps");
}

BlendCode parse_blend_code(std::string_view name) {
  if (name == "fused" || name == "stock") {
    return name == "fused" ? BlendCode::fused : BlendCode::stock;
  }
  throw UsageError("Unknown blend code '" + std::string(name) + "'; expected fused or stock");
}

std::string to_string(BlendCode code) {
  return code == BlendCode::fused ? "fused" : "stock";
}

CalibrationOptions CalibrationRequest::resolved(bool is_trained) const {
  CalibrationOptions options;
  options.inputs = inputs.value_or(options.inputs);
  options.batch_size = batch_size.value_or(options.batch_size);
  options.memory = memory.value_or(options.memory);
  options.max_features = max_features.value_or(options.max_features);
  options.passes = passes;
  options.minutes = minutes;
  options.draws_each_pass = draws_each_pass.value_or(is_trained);
  options.validate();
  return options;
}

std::optional<PruneOptions> PruneRequest::resolved(const CalibrationOptions& calibration) const {
  if (!is_asked_for()) {
    return std::nullopt;
  }
  if (share && to) {
    throw UsageError("Expected one size to prune to, but got --prune and --prune-to");
  }
  PruneOptions options;
  options.budget = to.value_or(PruneBudget{.value = share.value_or(0.0)});
  options.keep = keep;
  options.round = round.value_or(options.round);
  options.calibration = calibration;
  options.validate();
  return options;
}

bool RampRequest::is_described() const {
  return curve || unit || begin || end || hold || order || !site_order.empty() || bound;
}

bool ConvertRequest::trains() const {
  return train_data != nullptr && train.epochs != 0.0;
}

bool has_labels(const Dataset* data) {
  const std::int64_t first = 0;
  return data != nullptr && data->size() > 0 && data->get({&first, 1}).target().defined();
}

}  // namespace actswap
