#include <actswap/base/libtorch_error.h>
#include <actswap/calibrate/difference.h>
#include <actswap/calibrate/joint_fit.h>
#include <actswap/calibrate/whole.h>
#include <actswap/graph/model.h>
#include <actswap/run/random_numbers.h>

#include <ATen/ops/_fused_adamw.h>
#include <torch/torch.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>

namespace actswap {

namespace {

// The first step of a tensor, as a share of its root mean square, for an error of 1: what the
// outputs lack by a share, weights have to change by about that share.
constexpr double kRate = 0.1;
// The same for a training on other signals, whose gradients are noisier.
constexpr double kTrainingRate = 0.04;
constexpr double kWarmUp = 0.05;    // share of the steps
constexpr double kLeastRms = 1e-3;  // a bias that is 0 must be able to move
constexpr std::size_t kShareHeldOut = 16;
constexpr double kBeta1 = 0.9;
constexpr double kBeta2 = 0.999;
constexpr double kEpsilon = 1e-8;
// A pass runs the original, the model, and the model backward to inputs and to weights.
constexpr double kRunsOfAPass = 4.0;

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

class RequireGradients {
 public:
  explicit RequireGradients(const std::vector<torch::Tensor>& tensors) : tensors_(tensors) {
    for (const auto& tensor : tensors_) {
      before_.push_back(tensor.requires_grad());
      tensor.set_requires_grad(true);
    }
  }
  RequireGradients(const RequireGradients&) = delete;
  RequireGradients& operator=(const RequireGradients&) = delete;
  ~RequireGradients() {
    for (std::size_t i = 0; i < tensors_.size(); ++i) {
      tensors_[i].set_requires_grad(before_[i]);
    }
  }

 private:
  const std::vector<torch::Tensor>& tensors_;
  std::vector<bool> before_;
};

// Of the peak.
double rate_at(std::int64_t step, std::int64_t steps) {
  const auto warm_up = static_cast<std::int64_t>(kWarmUp * static_cast<double>(steps));
  if (step < warm_up) {
    return static_cast<double>(step + 1) / static_cast<double>(warm_up);
  }
  const double done = static_cast<double>(step - warm_up) / static_cast<double>(steps - warm_up);
  return 0.5 * (1.0 + std::cos(std::numbers::pi * done));
}

}  // namespace

std::size_t batches_held_out(std::size_t batches) {
  return batches < 2 ? batches : std::max<std::size_t>(1, batches / kShareHeldOut);
}

JointFit::JointFit(Program& program, const Neighbourhood& neighbours, const Batches& batches,
                   const InputStream* stream, std::int64_t memory)
    : program_(program),
      batches_(batches),
      stream_(stream),
      memory_(memory),
      kept_(batches.size()),
      errors_(program, neighbours),
      steps_(torch::zeros({})) {
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
  scale_ = LossScale(is_half);
}

std::size_t JointFit::fitted_batches() const {
  return batches_.size() - batches_held_out(batches_.size());
}

std::vector<torch::Tensor> JointFit::values(Which model, const std::vector<torch::Tensor>& inputs) {
  const RandomNumbers same_for_both_models(0);
  std::vector<torch::Tensor> found;
  for (const auto& value : program_.run(model, 0, program_.beginning(inputs), errors_.moments())) {
    found.push_back(value.toTensor());
  }
  return found;
}

// Of one of the batches, which comes again.
std::vector<torch::Tensor> JointFit::kept_originals(std::size_t batch) {
  if (!kept_[batch].empty()) {
    return kept_[batch];
  }
  auto found = originals(batches_[batch]);
  const auto bytes = std::accumulate(found.begin(), found.end(), std::int64_t{0},
                                     [](std::int64_t sum, const auto& value) {
                                       return sum + static_cast<std::int64_t>(value.nbytes());
                                     });
  if (bytes <= memory_) {
    memory_ -= bytes;
    kept_[batch] = found;
  }
  return found;
}

std::vector<torch::Tensor> JointFit::originals(const std::vector<torch::Tensor>& inputs) {
  const torch::NoGradGuard no_grad;
  return values(Which::original, inputs);
}

torch::Tensor JointFit::error(std::size_t batch) {
  const auto targets = kept_originals(batch);
  return errors_.mean(values(Which::fitted, batches_[batch]), targets);
}

torch::Tensor JointFit::error_of_step(std::int64_t step) {
  if (stream_ == nullptr) {
    return error(static_cast<std::size_t>(step) % fitted_batches());
  }
  const auto inputs = stream_->batch(step);
  const auto targets = originals(inputs);
  return errors_.mean(values(Which::fitted, inputs), targets);
}

std::int64_t JointFit::inputs_of(std::int64_t steps) const {
  if (stream_ != nullptr) {
    return stream_->examples(steps);
  }
  std::int64_t sum = 0;
  for (std::size_t i = 0; i < fitted_batches(); ++i) {
    sum += batches_[i].at(0).size(0);
  }
  return sum;
}

double JointFit::error_held_out() {
  const torch::NoGradGuard no_grad;
  double sum = 0.0;
  for (std::size_t i = fitted_batches(); i < batches_.size(); ++i) {
    sum += error(i).item<double>();
  }
  return sum / static_cast<double>(batches_held_out(batches_.size()));
}

double JointFit::operations_of_a_pass() {
  const torch::NoGradGuard no_grad;
  return kRunsOfAPass * errors_.operations(values(Which::fitted, batches_.front())) *
         static_cast<double>(batches_.size());
}

// Of the loss; each undefined where the tensor has no part in it.
std::vector<torch::Tensor> JointFit::gradients_of(const torch::Tensor& loss) {
  for (;;) {
    auto gradients =
        torch::autograd::grad({loss * scale_.value()}, tensors_, {},
                              /*retain_graph=*/scale_.is_used(), /*create_graph=*/false,
                              /*allow_unused=*/true);
    const bool is_finite =
        !scale_.is_used() ||
        std::all_of(gradients.begin(), gradients.end(), [](const torch::Tensor& gradient) {
          return !gradient.defined() || torch::isfinite(gradient).all().item<bool>();
        });
    if (is_finite || !scale_.shrink()) {
      return gradients;
    }
  }
}

void JointFit::move(const std::vector<torch::Tensor>& gradients, double rate) {
  const torch::NoGradGuard no_grad;
  steps_.add_(1.0);
  for (std::size_t i = 0; i < tensors_.size(); ++i) {
    if (!gradients[i].defined()) {
      continue;
    }
    auto& stepped = stepped_[i];
    const auto tensor = stepped.tensor();
    const auto gradient = stepped.laid_out(gradients[i]) / scale_.value();
    at::_fused_adamw_({tensor}, {gradient}, {means_[i]}, {squares_[i]}, {}, {steps_},
                      rate * rms(tensor), kBeta1, kBeta2, /*weight_decay=*/0.0, kEpsilon,
                      /*amsgrad=*/false,
                      /*maximize=*/false);
    stepped.write_back();
  }
  scale_.note_step();
}

double JointFit::learning_rate(double error) const {
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
  return kTrainingRate * std::sqrt(error) * *middle;
}

bool JointFit::is_possible() const {
  return batches_.size() > 1 && !errors_.moments().empty() && !tensors_.empty();
}

void JointFit::restore(const std::vector<torch::Tensor>& before) {
  const torch::NoGradGuard no_grad;
  for (std::size_t i = 0; i < tensors_.size(); ++i) {
    tensors_[i].copy_(before[i]);
  }
}

JointFitResult JointFit::run(std::int64_t passes, const std::function<void()>& before_each_batch,
                             const std::function<void(std::int64_t done)>& on_pass) {
  const auto before = copy_tensors(tensors_);
  JointFitResult result{.passes = passes, .error_before = error_held_out()};
  const auto steps_of_a_pass = static_cast<std::int64_t>(fitted_batches());
  const auto steps = passes * steps_of_a_pass;
  result.inputs = inputs_of(steps);
  const double peak = kRate * std::sqrt(result.error_before);
  {
    const torch::AutoGradMode with_gradients(true);
    const RequireGradients require_gradients(tensors_);
    for (std::int64_t step = 0; step < steps; ++step) {
      before_each_batch();
      if (step % steps_of_a_pass == 0) {
        on_pass(step / steps_of_a_pass);
      }
      const auto loss = error_of_step(step);
      std::vector<torch::Tensor> gradients;
      try {
        gradients = gradients_of(loss);
      } catch (const std::exception& problem) {
        restore(before);
        result = {};
        result.reason = "the model does not have a gradient: " + libtorch_cause(problem.what());
        return result;
      }
      move(gradients, peak * rate_at(step, steps));
    }
  }
  on_pass(passes);
  result.error_after = error_held_out();
  if (!(result.error_after < result.error_before)) {
    restore(before);
    result.passes = 0;
  }
  return result;
}

}  // namespace actswap
