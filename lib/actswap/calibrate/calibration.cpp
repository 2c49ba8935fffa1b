// What a calibration is asked for, and what it says of itself.
#include <actswap/base/error.h>
#include <actswap/calibrate/calibrate.h>

#include <algorithm>

namespace actswap {

std::string to_string(LayerFit fit) {
  return fit == LayerFit::regression ? "regression" : "per channel";
}

namespace {

std::string together(const JointFitResult& joint) {
  if (joint.error_after < joint.error_before) {
    return std::to_string(joint.passes) + " passes over all of them together, on " +
           std::to_string(joint.inputs) + " inputs; ";
  }
  return joint.error_before > 0.0 ? "a fit of all of them together gained nothing; " : "";
}

}  // namespace

std::string summary(const Calibration& calibration) {
  const auto shifted = std::count_if(calibration.sites.begin(), calibration.sites.end(),
                                     [](const auto& site) { return !site.producer.empty(); });
  const auto wide =
      std::count_if(calibration.layers.begin(), calibration.layers.end(),
                    [](const auto& layer) { return layer.fit == LayerFit::per_channel; });
  const auto count = [](auto number) { return std::to_string(number); };
  return count(shifted) + " of " + count(calibration.sites.size()) +
         " sites shifted, by the layer before; " + count(calibration.layers.size()) +
         " layers fitted, " + count(wide) + " of them per channel; " + together(calibration.joint) +
         count(calibration.batch_norms.size()) + " batch norms estimated anew; " +
         count(calibration.left_out.size()) + " left out";
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
