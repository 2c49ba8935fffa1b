// The learning rate by a line search from where a training begins: a few steps with a rate, the
// loss on examples that it did not see, and the next rate, up or down by a factor of 3.
//
// Rates are shares of each parameter's size (TrainOptions::is_rate_relative), which depend little
// on the width of a network. The first is 1e-3. Where that does harm lower ones are tried, down to
// 1e-3 / 243, until one does not; otherwise higher ones, up to 27e-3, as long as they do none. Harm
// is a loss of more than 1.25 times the lowest seen. The highest harmless rate is taken: a few
// steps cannot show what many gain, since noise has no time to settle. A trial's rate rises over
// its first half: the first steps of AdamW all go one way, as far as the rate is, and would make
// rates look too high that many steps settle.
#pragma once

#include <actswap/data/subset.h>
#include <actswap/train/rate_sweep.h>
#include <actswap/train/trainer.h>

#include <functional>
#include <optional>

namespace actswap {

/// Leaves the module as it is, at t = 1. Same seed, same result.
/// @param module with blends; is left as it was
/// @param teacher as train takes it
/// @param data to train the trials on and to judge them by
/// @param set_blend called with 1
/// @param options of the training that is to follow; its rate does not matter
/// @param should_stop asked before each step; true ends with Interrupted
/// @param remember as sweep_rates takes it
/// @return trials in the order of their rates, each an eighth of the training's steps, 8 to 24
/// @throws what train throws, but for training runs that diverge
ACTSWAP_API RateSweep search_rate(torch::jit::Module& module,
                                  std::optional<torch::jit::Module> teacher, const HeldOut& data,
                                  const std::function<void(double)>& set_blend,
                                  const TrainOptions& options,
                                  const std::function<bool()>& should_stop = {},
                                  const RememberTrial& remember = {});

}  // namespace actswap
