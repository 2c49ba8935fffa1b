// Judges several models in one pass over the data: how good each is, and how near to the first.
#pragma once

#include <actswap/measure/accuracy.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

namespace actswap {

/// How near a model's outputs are to the original's. Needs no target.
struct Agreement {
  /// sum |y - y0|^2 / sum |y0|^2 with the original's outputs y0, averaged over the floating-point
  /// and complex tensors among the outputs. 0: the same. Equal infinities are no error and do not
  /// count; NaN if nothing is finite.
  double relative_error = 0.0;
  /// The mean over the examples of <y, y0> / (|y| |y0|) of all numbers of an example's first
  /// output. 1: the same direction.
  double mean_cosine = 1.0;
  /// How often the largest entry of the first output along its classes is the same, in percent, if
  /// that output has classes or may have some (find_output_forms).
  std::optional<double> same_prediction = {};
  /// Each example's contribution to relative_error, times the number of examples: float32 of shape
  /// examples, whose mean is relative_error.
  torch::Tensor example_errors = {};
};

struct Judgement {
  std::optional<Evaluation> evaluation = {};  ///< empty where the data has no target
  Agreement agreement;
};

struct Variant {
  torch::jit::Module module;
  /// Called before each run: several variants may be settings of one module.
  std::function<void()> prepare = {};
};

struct JudgeOptions {
  std::int64_t batch_size = 256;      ///< > 0
  std::function<bool()> should_stop;  ///< asked before each run of a model
  /// Called after each run of a model; counts this process's runs.
  std::function<void(std::int64_t run, std::int64_t runs)> on_run;
  /// Processes that all judge the same and share the batches; each gets the whole result.
  Together together = {};
};

/// Runs every variant on each batch as ModelRun does, all with the same random numbers, and
/// compares the others with the first.
/// @return one record for each variant, in their order
/// @throws UsageError if there is no variant, the data is empty, or the outputs of two variants
///   differ in shape; Interrupted
ACTSWAP_API std::vector<Judgement> judge(const std::vector<Variant>& variants, const Dataset& data,
                                         const JudgeOptions& options = {});

}  // namespace actswap
