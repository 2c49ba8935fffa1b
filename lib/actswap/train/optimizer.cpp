#include <actswap/train/optimizer.h>

#include <utility>

namespace actswap {

namespace {

// Weight decay is for matrices and kernels. Biases, the scales of normalisations and the slopes of
// activations have one dimension or none; pulling them to 0 only harms.
template <typename Options>
std::vector<torch::optim::OptimizerParamGroup> make_groups(
    const Options& options, double weight_decay, const std::vector<torch::Tensor>& parameters) {
  std::vector<torch::Tensor> decayed;
  std::vector<torch::Tensor> plain;
  for (const auto& parameter : parameters) {
    (parameter.dim() > 1 ? decayed : plain).push_back(parameter);
  }
  std::vector<torch::optim::OptimizerParamGroup> groups;
  const auto add = [&](std::vector<torch::Tensor> members, double decay) {
    if (!members.empty()) {
      auto own = std::make_unique<Options>(options);
      own->weight_decay(decay);
      groups.emplace_back(std::move(members), std::move(own));
    }
  };
  add(std::move(decayed), weight_decay);
  add(std::move(plain), 0.0);
  return groups;
}

}  // namespace

std::unique_ptr<torch::optim::Optimizer> make_optimizer(
    const TrainOptions& options, const std::vector<torch::Tensor>& parameters) {
  if (options.optimizer == OptimizerKind::sgd) {
    const auto sgd = torch::optim::SGDOptions(options.learning_rate).momentum(options.momentum);
    return std::make_unique<torch::optim::SGD>(make_groups(sgd, options.weight_decay, parameters),
                                               sgd);
  }
  const auto adamw = torch::optim::AdamWOptions(options.learning_rate);
  return std::make_unique<torch::optim::AdamW>(make_groups(adamw, options.weight_decay, parameters),
                                               adamw);
}

void set_learning_rate(torch::optim::Optimizer& optimizer, double rate) {
  for (auto& group : optimizer.param_groups()) {
    group.options().set_lr(rate);
  }
}

}  // namespace actswap
