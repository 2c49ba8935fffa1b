// What a calibration is asked for, and what it says of itself.
#include <actswap/base/counted.h>
#include <actswap/base/error.h>
#include <actswap/calibrate/calibrate.h>

#include <algorithm>
#include <cstddef>
#include <string>
#include <vector>

namespace actswap {

std::string to_string(LayerFit fit) {
  return fit == LayerFit::regression ? "regression" : "per channel";
}

namespace {

// "1 layer fitted", "3 layers fitted"; nothing of none.
void add(std::vector<std::string>& parts, std::size_t count, const char* one, const char* more) {
  if (count > 0) {
    parts.push_back(counted(count, one, more));
  }
}

void add_together(std::vector<std::string>& parts, const JointFitResult& joint) {
  if (joint.error_after < joint.error_before) {
    parts.push_back(counted(joint.passes, "pass", "passes") + " over all of them together, on " +
                    counted(joint.inputs, "input"));
  } else if (joint.error_before > 0.0) {
    parts.emplace_back("a fit of all of them together gained nothing");
  }
}

}  // namespace

std::string summary(const Calibration& calibration) {
  const auto shifted = static_cast<std::size_t>(std::ranges::count_if(
      calibration.sites, [](const auto& site) { return !site.producer.empty(); }));
  const auto wide = static_cast<std::size_t>(std::ranges::count_if(
      calibration.layers, [](const auto& layer) { return layer.fit == LayerFit::per_channel; }));
  std::vector<std::string> parts;
  if (shifted > 0) {
    parts.push_back(std::to_string(shifted) + " of " + counted(calibration.sites.size(), "site") +
                    " shifted, by the layer before");
  }
  add(parts, calibration.layers.size(), "layer fitted", "layers fitted");
  if (wide > 0) {
    parts.back() += ", " + std::to_string(wide) + " of them per channel";
  }
  add_together(parts, calibration.joint);
  add(parts, calibration.batch_norms.size(), "batch norm estimated anew",
      "batch norms estimated anew");
  const auto of_all = [](const std::string& reason) { return reason.starts_with("all "); };
  const auto left_out =
      calibration.left_out.size() -
      static_cast<std::size_t>(std::ranges::count_if(calibration.left_out, of_all));
  add(parts, left_out, "layer or blend left out", "layers and blends left out");
  std::string text;
  for (const auto& part : parts) {
    text += (text.empty() ? "" : "; ") + part;
  }
  return text.empty() ? "nothing to fit" : text;
}

void CalibrationOptions::validate() const {
  const auto check = [](const char* name, std::int64_t value, std::int64_t least) {
    if (value < least) {
      throw UsageError(std::string("Expected ") + name + " >= " + std::to_string(least) +
                       ", but got " + std::to_string(value));
    }
  };
  check("inputs", inputs, 1);
  check("batch_size", batch_size, 1);
  check("max_features", max_features, 1);
  check("memory", memory, 0);
  check("passes", passes.value_or(0), 0);
  if (minutes && !(*minutes >= 0.0)) {
    throw UsageError("Expected minutes >= 0, but got " + std::to_string(*minutes));
  }
}

}  // namespace actswap
