// How good a model is on labelled data.
#pragma once

#include <actswap/base/export.h>
#include <actswap/data/dataset.h>

#include <torch/script.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace actswap {

struct Evaluation {
  std::string metric = {};  ///< "accuracy" (percent, higher is better) for integer targets,
                            ///< "mse" (lower is better) for floating-point targets
  double value = 0.0;
  double mean_loss = 0.0;  ///< cross-entropy (nats) or the mean squared error
  std::int64_t examples = 0;
  std::vector<double> per_class =
      {};  ///< accuracy of each class in percent (NaN for one without examples)
  bool higher_is_better() const { return metric == "accuracy"; }
};

/// Evaluates in eval mode without gradients (the module's mode is restored).
/// @param should_stop asked before each batch; true ends with Interrupted
/// @throws UsageError where the data has no target or the shapes do not fit; Interrupted
ACTSWAP_API Evaluation evaluate(torch::jit::Module& module, const Dataset& data,
                                std::int64_t batch_size = 256,
                                const std::function<bool()>& should_stop = {});

}  // namespace actswap
