// Finds what the units of each group cost the layers that read them.
#pragma once

#include <actswap/calibrate/both_models.h>
#include <actswap/calibrate/layers.h>
#include <actswap/calibrate/program.h>
#include <actswap/prune/budget.h>
#include <actswap/prune/elimination.h>
#include <actswap/prune/units.h>

#include <torch/types.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace actswap {

/// Units that are the same number for all inputs, before a reader whose bias can absorb it.
struct ConstantUnits {
  std::size_t slice = 0;              ///< of the group: the reader
  torch::Tensor bias = {};            ///< of the reader
  std::vector<std::int64_t> units;    ///< units whose number is not 0
  std::vector<torch::Tensor> values;  ///< for each unit, the values of its entries
};

struct SurveyedGroup {
  std::string obstacle = {};  ///< why its units stay; empty: nothing hinders
  /// The units in the order in which they go, and the loss after each. Dead and constant units come
  /// first.
  std::vector<std::int64_t> order = {};
  std::vector<double> loss = {};
  std::int64_t dead = 0;      ///< 0 for all inputs
  std::int64_t constant = 0;  ///< another number for all inputs, which a bias can absorb
  std::vector<ConstantUnits> constants = {};
  /// Whether losses are from least squares. Otherwise a reader is too wide for its matrix, and they
  /// are sums over units of |w|^2 times the variance of the unit's values.
  bool is_exact = false;
  std::optional<Elimination> elimination = {};  ///< after the whole order, if memory allows
};

struct SurveyLimits {
  std::int64_t max_features = 0;  ///< of a reader whose losses are exact
  std::int64_t memory = 0;        ///< bytes for all matrices
  std::int64_t kept = 0;          ///< bytes for the values from which both models are replayed
};

/// Runs both models once, from the beginning to the end.
/// @param neighbours of the program, with all readers of the units
/// @param least units of each group that stay in any case; all: the group is skipped
/// @param on_layer before each reader, and after the last; may be empty
std::vector<SurveyedGroup> survey(
    const Units& units, Program& program, const Neighbourhood& neighbours, BothModels& models,
    const std::vector<std::int64_t>& least, const SurveyLimits& limits,
    const std::function<void(std::size_t done, std::size_t count)>& on_layer = {});

}  // namespace actswap
