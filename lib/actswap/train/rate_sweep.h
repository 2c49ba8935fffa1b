// The learning rate by trial: short training runs from the same start with rates that lie apart by
// a factor, judged by the loss on examples of the training data that none of them saw.
//
// A trial is the whole training in small: the same ramp, warm-up and decay over fewer steps, so
// that it ends at t = 1. Rates are 1/9, 1/3, 1, 3 and 9 times what is usual for the optimizer (3e-4
// for AdamW, 1e-2 for SGD); where the best is an outermost one, the next beyond it is tried too,
// twice at most.
#pragma once

#include <actswap/train/trainer.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace actswap {

struct RateTrial {
  double rate = 0.0;
  double loss = 0.0;  ///< on the examples held out, in eval mode; infinite where it diverged
};

struct RateSweep {
  std::vector<RateTrial> trials = {};  ///< in the order of the rates
  std::int64_t steps = 0;              ///< of each trial: a twentieth of the training, 10 to 200
  std::int64_t held_out = 0;           ///< examples: an eighth of the data, 1024 at most
  double start_loss = 0.0;             ///< at t = 1 without training
  double chosen = 0.0;
  double seconds = 0.0;
};

/// The loss of a trial: what an interrupted search of the same kind found, or else what `compute`
/// gives, to be kept for one that is resumed.
/// @param trial a name, the same for the same rate
using RememberTrial =
    std::function<double(const std::string& trial, const std::function<double()>& compute)>;

/// Leaves the module as it is, at the first t of the schedules. Same seed, same result.
/// @param module with blends; is left as it was
/// @param teacher as train takes it
/// @param data an eighth of it judges the trials
/// @param schedules of t, as train takes them
/// @param set_blends as train takes it
/// @param options of the training that is to follow; its rate does not matter
/// @param should_stop asked before each step; true ends with Interrupted
/// @param remember gives what a trial of an interrupted search gave, or runs it; empty: runs it
/// @throws what train throws, but for training runs that diverge; UsageError where all do, and for
///   data of less than 8 examples
ACTSWAP_API RateSweep sweep_rates(torch::jit::Module& module,
                                  std::optional<torch::jit::Module> teacher, const Dataset& data,
                                  const std::vector<Schedule>& schedules,
                                  const std::function<void(const std::vector<double>&)>& set_blends,
                                  const TrainOptions& options,
                                  const std::function<bool()>& should_stop = {},
                                  const RememberTrial& remember = {});

}  // namespace actswap
