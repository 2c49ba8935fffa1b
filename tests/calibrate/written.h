// Models of parameters of the root and code.
#pragma once

#include <torch/script.h>
#include <torch/utils.h>

#include <cmath>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace actswap {

using Shapes = std::vector<std::pair<std::string, std::vector<std::int64_t>>>;

/// The test says what the parameters are. They are random, and divided by the square root of how
/// many a row of them has.
/// @param numbers attributes of the root
/// @param buffers of zeros
inline torch::jit::Module written(
    const std::string& name, const Shapes& parameters, const std::string& code,
    const std::string& arguments = "x",
    const std::vector<std::pair<std::string, std::int64_t>>& numbers = {},
    const Shapes& buffers = {}) {
  const auto unit = std::make_shared<torch::jit::CompilationUnit>();
  torch::jit::Module module(c10::QualifiedName("__torch__." + name), unit, true);
  torch::manual_seed(5);
  for (const auto& [parameter, shape] : parameters) {
    const auto values = torch::randn(shape);
    const bool is_empty = values.numel() == 0;
    const double inputs =
        shape.size() > 1 && !is_empty ? static_cast<double>(values.numel() / shape[0]) : 1.0;
    module.register_parameter(parameter, values / std::sqrt(inputs), false);
  }
  for (const auto& [buffer, shape] : buffers) {
    module.register_buffer(buffer, torch::zeros(shape));
  }
  for (const auto& [number, value] : numbers) {
    module.register_attribute(number, c10::IntType::get(), value);
  }
  module.define("def forward(self, " + arguments + "):\n" + code);
  return module;
}

}  // namespace actswap
