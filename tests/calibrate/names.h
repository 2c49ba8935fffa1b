// The layers of a calibration by their names.
#pragma once

#include <actswap/calibrate/calibrate.h>

#include <string>
#include <vector>

namespace actswap {

inline std::vector<std::string> names(const std::vector<CalibratedLayer>& layers) {
  std::vector<std::string> result;
  for (const auto& layer : layers) {
    result.push_back(layer.name);
  }
  return result;
}

}  // namespace actswap
