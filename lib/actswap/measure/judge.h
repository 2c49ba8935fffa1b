// Several models on the same data, one pass over it: how good each is, and how near to the first.
#pragma once

#include <actswap/measure/accuracy.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

namespace actswap {

/// How near a model's outputs are to the original's. Needs no target.
struct Agreement {
  /// sum |y - y0|^2 / sum |y0|^2 with the original's outputs y0; the mean over the floating-point
  /// and complex tensors that the model gives. 0: the same. Equal infinities are no error, and
  /// count for nothing; NaN where nothing is finite.
  double relative_error = 0.0;
  /// The mean over the examples of <y, y0> / (|y| |y0|) of all numbers of an example's first
  /// output. 1: the same direction.
  double mean_cosine = 1.0;
  /// How often the largest of the first output along the dimension of the classes is the same, in
  /// percent: where that output has classes or may have some (find_output_forms).
  std::optional<double> same_prediction = {};
  /// What each example adds to relative_error, times the number of examples: float32 of shape
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
  /// After each run of a model, of those of this process.
  std::function<void(std::int64_t run, std::int64_t runs)> on_run;
  /// Processes that all judge the same, and share out the batches: each gets all of it.
  Together together = {};
};

/// Runs every variant on each batch as ModelRun does, all with the same random numbers; the first
/// is what the others are compared with.
/// @return one record a variant, in their order
/// @throws UsageError where there is no variant, the data is empty, or the outputs of two variants
///   do not have the same shapes; Interrupted
ACTSWAP_API std::vector<Judgement> judge(const std::vector<Variant>& variants, const Dataset& data,
                                         const JudgeOptions& options = {});

}  // namespace actswap
