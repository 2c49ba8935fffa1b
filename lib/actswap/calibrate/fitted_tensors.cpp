#include <actswap/calibrate/difference.h>
#include <actswap/calibrate/fitted_tensors.h>
#include <actswap/calibrate/whole.h>
#include <actswap/graph/model.h>

#include <ATen/ops/_fused_adamw.h>
#include <torch/script.h>

#include <algorithm>

namespace actswap {

namespace {

constexpr double kLeastRms = 1e-3;  // a bias that is 0 must be able to move
constexpr double kBeta1 = 0.9;
constexpr double kBeta2 = 0.999;
constexpr double kEpsilon = 1e-8;

double rms(const torch::Tensor& tensor) {
  return std::max(kLeastRms, widened(tensor).square().mean().sqrt().item<double>());
}

// The tensor that a gradient is taken of, and that is stepped. Undefined where there is none.
torch::Tensor movable(const torch::Tensor& tensor) {
  if (!tensor.defined()) {
    return {};
  }
  auto whole = whole_of(tensor);
  return whole.is_floating_point() && whole.is_leaf() && !whole.is_view() ? whole : torch::Tensor();
}

// Overwrites what is there.
void copy_into(std::vector<torch::Tensor>& copies, const std::vector<torch::Tensor>& tensors) {
  const torch::NoGradGuard no_grad;
  if (copies.size() != tensors.size()) {
    copies = copy_tensors(tensors);
    return;
  }
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    copies[i].copy_(tensors[i]);
  }
}

}  // namespace

FittedTensors::FittedTensors(const Neighbourhood& neighbours) : steps_(torch::zeros({})) {
  const auto add = [this](const torch::Tensor& part) {
    const auto tensor = movable(part);
    const bool is_new =
        std::none_of(tensors_.begin(), tensors_.end(),
                     [&](const torch::Tensor& other) { return other.is_same(tensor); });
    if (tensor.defined() && is_new) {
      tensors_.push_back(tensor);
    }
  };
  for (const auto& layer : neighbours.layers) {
    add(layer.weight);
    add(layer.bias);
  }
  for (const auto& norm : neighbours.norms) {
    add(norm.weight);
    add(norm.bias);
  }
  for (const auto& site : neighbours.sites) {
    add(site.weight);
    add(site.bias);
  }
  bool is_half = false;
  for (const auto& tensor : tensors_) {
    auto& stepped = stepped_.emplace_back(tensor);
    means_.push_back(stepped.zeros());
    squares_.push_back(stepped.zeros());
    is_half = is_half || tensor.scalar_type() == torch::kHalf;
  }
  loss_scale_ = LossScale(is_half);
}

FittedTensors::State FittedTensors::state() const {
  State state;
  store(state);
  return state;
}

FittedTensors::State FittedTensors::view() const {
  State state = {{}, means_, squares_, steps_};
  for (const auto& tensor : tensors_) {
    state.tensors.push_back(tensor.detach());
  }
  return state;
}

void FittedTensors::store(State& state) const {
  const bool has_averages = steps_.item<double>() > 0.0;
  const std::vector<torch::Tensor> none;
  copy_into(state.tensors, tensors_);
  copy_into(state.means, has_averages ? means_ : none);
  copy_into(state.squares, has_averages ? squares_ : none);
  state.steps = steps_.clone();
}

void FittedTensors::restore(const State& state) {
  const torch::NoGradGuard no_grad;
  const auto fill = [](const torch::Tensor& average, const std::vector<torch::Tensor>& from,
                       std::size_t i) { from.empty() ? average.zero_() : average.copy_(from[i]); };
  for (std::size_t i = 0; i < tensors_.size(); ++i) {
    tensors_[i].copy_(state.tensors[i]);
    fill(means_[i], state.means, i);
    fill(squares_[i], state.squares, i);
  }
  steps_.copy_(state.steps);
}

void FittedTensors::move(const std::vector<torch::Tensor>& gradients, double rate) {
  const torch::NoGradGuard no_grad;
  steps_.add_(1.0);
  for (std::size_t i = 0; i < tensors_.size(); ++i) {
    if (!gradients[i].defined()) {
      continue;
    }
    auto& stepped = stepped_[i];
    const auto tensor = stepped.tensor();
    const auto gradient = stepped.laid_out(gradients[i]) / loss_scale_.value();
    at::_fused_adamw_({tensor}, {gradient}, {means_[i]}, {squares_[i]}, {}, {steps_},
                      rate * rms(tensor), kBeta1, kBeta2, /*weight_decay=*/0.0, kEpsilon,
                      /*amsgrad=*/false,
                      /*maximize=*/false);
    stepped.write_back();
  }
  loss_scale_.note_step();
}

double FittedTensors::middle_size() const {
  std::vector<double> sizes;
  for (const auto& tensor : tensors_) {
    if (tensor.dim() > 1) {
      sizes.push_back(rms(tensor));
    }
  }
  if (sizes.empty()) {
    return 0.0;
  }
  const auto middle = sizes.begin() + static_cast<std::ptrdiff_t>(sizes.size() / 2);
  std::nth_element(sizes.begin(), middle, sizes.end());
  return *middle;
}

RequireGradients::RequireGradients(const std::vector<torch::Tensor>& tensors) : tensors_(tensors) {
  for (const auto& tensor : tensors_) {
    before_.push_back(tensor.requires_grad());
    tensor.set_requires_grad(true);
  }
}

RequireGradients::~RequireGradients() {
  for (std::size_t i = 0; i < tensors_.size(); ++i) {
    tensors_[i].set_requires_grad(before_[i]);
  }
}

}  // namespace actswap
