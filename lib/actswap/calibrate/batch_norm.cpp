#include <actswap/calibrate/batch_norm.h>
#include <actswap/calibrate/both_models.h>
#include <actswap/calibrate/channel_rows.h>

#include <torch/script.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace actswap {

void BatchStatistics::add(const torch::Tensor& input, const Together& together) {
  const auto values = channel_rows(input, 1);
  auto count = static_cast<double>(values.size(1));
  const auto [variance, mean] = torch::var_mean(values, at::OptionalIntArrayRef{1}, 0);
  const auto sums = mean.to(torch::kDouble) * count;
  const auto squares = (variance.to(torch::kDouble) + mean.to(torch::kDouble).square()) * count;
  together.add_up({sums, squares});
  count = together.sum(count);
  sums_ = count_ > 0.0 ? sums_ + sums : sums;
  squares_ = count_ > 0.0 ? squares_ + squares : squares;
  count_ += count;
}

torch::Tensor BatchStatistics::mean() const {
  return sums_ / count_;
}

torch::Tensor BatchStatistics::variance() const {
  const auto sum = squares_ - sums_.square() / count_;
  return sum.clamp_min(0.0) / std::max(1.0, count_ - 1.0);
}

void re_estimate(const BatchNorm& norm, const BatchStatistics& statistics) {
  const auto mean = norm.running_mean.to(torch::kDouble);
  const auto deviation = (norm.running_var.to(torch::kDouble) + norm.eps).sqrt();
  const auto new_deviation = (statistics.variance() + norm.eps).sqrt();
  const auto weight = norm.weight.to(torch::kDouble);
  const auto bias = norm.bias.to(torch::kDouble);
  torch::Tensor(norm.bias).copy_(bias + weight * (statistics.mean() - mean) / deviation);
  torch::Tensor(norm.weight).copy_(weight * new_deviation / deviation);
  torch::Tensor(norm.running_mean).copy_(statistics.mean());
  torch::Tensor(norm.running_var).copy_(statistics.variance());
}

void re_estimate(const std::vector<BatchNorm>& norms, Program& program,
                 const Replay::Batches& batches, const std::function<void()>& before_each_batch,
                 const Together& together) {
  if (norms.empty()) {
    return;
  }
  std::vector<Moment> moments;
  moments.reserve(norms.size());
  for (const auto& norm : norms) {
    moments.push_back({norm.input, program.position(norm.node)});
  }
  std::vector<BatchStatistics> statistics(norms.size());
  Replay from_the_beginning(program, batches);
  std::int64_t examples = 0;
  for (std::size_t batch = 0; batch < batches.size(); ++batch) {
    before_each_batch();
    const auto inputs = from_the_beginning.run(Which::fitted, batch, moments, 0);
    examples += together.sum(batches[batch].front().size(0));
    bool is_enough = examples >= kChannelExamples;
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      statistics[i].add(inputs[i], together);
      is_enough = is_enough && statistics[i].count() >= kChannelSamples;
    }
    if (is_enough) {
      break;
    }
  }
  for (std::size_t i = 0; i < norms.size(); ++i) {
    re_estimate(norms[i], statistics[i]);
  }
}

void scale_output(const BatchNorm& norm, const torch::Tensor& factor, const torch::Tensor& offset) {
  torch::Tensor(norm.weight).mul_(factor.to(norm.weight.dtype()));
  torch::Tensor(norm.bias).mul_(factor.to(norm.bias.dtype())).add_(offset.to(norm.bias.dtype()));
}

}  // namespace actswap
