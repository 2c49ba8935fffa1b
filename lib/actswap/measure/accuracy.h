// How good a model is on labelled data.
#pragma once

#include <actswap/base/export.h>
#include <actswap/data/dataset.h>
#include <actswap/measure/statistics.h>
#include <actswap/ranks/together.h>

#include <torch/script.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace actswap {

struct Evaluation {
  std::string metric = {};  ///< "accuracy" (percent, higher is better) for integer targets,
                            ///< "mse" (lower is better) for floating-point targets
  /// An example whose output holds NaN counts as wrong. NaN if every output holds NaN.
  double value = 0.0;
  double mean_loss = 0.0;  ///< cross-entropy (nats) or the mean squared error
  std::int64_t examples = 0;
  std::vector<double> per_class =
      {};  ///< accuracy of each class in percent (NaN for one without examples)
  /// For "mse" with two or more numbers an example: the mean over the examples of
  /// <y, target> / (|y| |target|), taking all numbers of an example as one vector.
  std::optional<double> mean_cosine = {};
  /// The metric and the loss of each example, whose means are `value` and `mean_loss`: float32 of
  /// shape examples. In the order of the data.
  torch::Tensor example_values = {};
  torch::Tensor example_losses = {};
  bool higher_is_better() const { return metric == "accuracy"; }
};

/// Evaluates the model as ModelRun runs it: in eval mode, and without a trace in it.
///
/// The classes are along dimension 1 of the output, or along the last one if only that fits the
/// target: an output N x L x C with a target N x L.
/// @param module keeps its mode
/// @param data with a target
/// @param batch_size examples at a time, > 0
/// @param should_stop asked before each batch; true ends with Interrupted
/// @param together processes that all call this and share the batches; each gets the whole result
/// @throws UsageError if the data has no target or the shapes do not fit; Interrupted
ACTSWAP_API Evaluation evaluate(torch::jit::Module& module, const Dataset& data,
                                std::int64_t batch_size = 256,
                                const std::function<bool()>& should_stop = {},
                                const Together& together = {});

/// Says how many outputs are NaN and which example is the first; empty: none are.
/// @param evaluation what evaluate gave
/// @throws FileError if all are: the metric then says nothing
ACTSWAP_API std::string doubt_numbers(const Evaluation& evaluation);

/// How much worse `after` is than `before` by the metric: positive where it is worse.
ACTSWAP_API double drop(const Evaluation& before, const Evaluation& after);

/// The metric of `a` minus that of `b`, example by example, both on the same data.
/// @throws UsageError if their numbers of examples differ
ACTSWAP_API Interval paired_difference(const Evaluation& a, const Evaluation& b);

/// The same of the loss.
ACTSWAP_API Interval paired_loss_difference(const Evaluation& a, const Evaluation& b);

/// Values of examples in double, as mean_interval takes them.
std::vector<double> to_vector(const torch::Tensor& values);

}  // namespace actswap
