// The optimizer that the options ask for.
#pragma once

#include <actswap/train/trainer.h>

#include <torch/torch.h>

#include <memory>
#include <vector>

namespace actswap {

/// @param parameters distinct ones: a tensor given twice would be stepped twice
std::unique_ptr<torch::optim::Optimizer> make_optimizer(
    const TrainOptions& options, const std::vector<torch::Tensor>& parameters);

void set_learning_rate(torch::optim::Optimizer& optimizer, double rate);

}  // namespace actswap
