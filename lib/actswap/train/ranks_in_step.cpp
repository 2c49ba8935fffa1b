#include <actswap/base/error.h>
#include <actswap/base/libtorch_error.h>
#include <actswap/data/random.h>
#include <actswap/train/ranks_in_step.h>

#include <torch/script.h>
#include <torch/utils.h>

#include <sstream>
#include <string>
#include <utility>

namespace actswap {

RanksInStep::RanksInStep(const torch::jit::Module& module, const TrainOptions& options,
                         const std::vector<torch::Tensor>& parameters)
    : options_(options), together_(options.ranks) {
  if (is_alone()) {
    return;
  }
  gradients_ = options.ranks->mean_gradients(parameters);
  for (const auto& buffer : module.buffers()) {
    if (buffer.is_floating_point() && !options.keeps_statistics) {
      statistics_.push_back(buffer);
    }
  }
}

void RanksInStep::begin(const ModuleTensors& tensors, const Dataset& data) const {
  if (is_alone()) {
    return;
  }
  std::ostringstream facts;
  facts.precision(17);
  facts << "examples: " << data.size() << "\nbatch size: " << options_.batch_size
        << "\nepochs: " << options_.epochs << "\nlearning rate: " << options_.learning_rate
        << "\noptimizer: " << to_string(options_.optimizer) << "\nseed: " << options_.seed
        << "\naugmentation: " << to_string(options_.augmentation);
  std::vector<torch::Tensor> values;
  for (const auto& tensor : tensors.now()) {
    if (tensor.defined()) {
      values.push_back(tensor);
      facts << "\ntensor: " << tensor.sizes() << " " << tensor.scalar_type();
    }
  }
  together_.expect_same(facts.str());
  together_.take_from_first(values);
}

void RanksInStep::begin_step(std::int64_t step) const {
  if (is_alone()) {
    return;
  }
  const auto own = share();
  const auto number = static_cast<std::uint64_t>(step * own.count + own.number);
  torch::manual_seed(SplitMix64(SplitMix64(options_.seed).next() ^ number).next());
}

double RanksInStep::weight(std::int64_t own, std::int64_t batch_size) const {
  return static_cast<double>(own * share().count) / static_cast<double>(batch_size);
}

double RanksInStep::mean_loss(double weighted, bool wants_to_stop) {
  if (is_alone()) {
    return weighted;
  }
  const auto sums = torch::tensor({weighted, wants_to_stop ? 1.0 : 0.0}, torch::kDouble);
  together_.add_up({sums});
  is_to_stop_ = sums[1].item<double>() > 0.0;
  return sums[0].item<double>() / share().count;
}

void RanksInStep::backward(const torch::Tensor& weighted_loss, bool keeps_graph) const {
  if (!is_alone()) {
    gradients_->backward(weighted_loss, keeps_graph);
    return;
  }
  try {
    weighted_loss.backward({}, keeps_graph);
  } catch (const c10::Error& error) {
    throw UsageError("The model does not have a gradient: " +
                     libtorch_cause(error.what_without_backtrace()));
  }
}

void RanksInStep::average_statistics() const {
  const torch::NoGradGuard without_gradients;
  together_.add_up(statistics_);
  for (const auto& statistic : statistics_) {
    torch::Tensor(statistic) /= share().count;
  }
}

Check RanksInStep::of_first(const Check& check) const {
  return {.value = together_.of_first(check.value), .drop = together_.of_first(check.drop)};
}

}  // namespace actswap
