#include <actswap/train/averaging.h>

#include <algorithm>

namespace actswap {

namespace {

// bfloat16 and half would lose what a decay near 1 adds.
torch::Tensor to_average(const torch::Tensor& tensor) {
  const auto type = tensor.scalar_type();
  if (type == torch::kBFloat16 || type == torch::kHalf) {
    return tensor.to(torch::kFloat32);
  }
  return type == torch::kComplexHalf ? tensor.to(torch::kComplexFloat) : tensor;
}

bool is_averaged(const torch::Tensor& average, const torch::Tensor& now) {
  return average.defined() && now.defined() && (now.is_floating_point() || now.is_complex()) &&
         average.sizes() == now.sizes();
}

}  // namespace

Averaging::Averaging(const torch::jit::Module& module, double decay)
    : tensors_(module), decay_(decay) {}

void Averaging::update() {
  const torch::NoGradGuard without_gradients;
  const auto now = tensors_.now();
  const auto n = static_cast<double>(updates_);
  const double decay = std::min(decay_, (1.0 + n) / (10.0 + n));
  average_.resize(now.size());
  for (std::size_t i = 0; i < now.size(); ++i) {
    if (updates_ > 0 && is_averaged(average_[i], now[i])) {
      average_[i].lerp_(to_average(now[i]), 1.0 - decay);
    } else {
      average_[i] = now[i].defined() ? to_average(now[i]).clone() : now[i];
    }
  }
  ++updates_;
}

}  // namespace actswap
