#include <actswap/calibrate/safeguard.h>

#include <actswap/graph/blend.h>
#include <actswap/graph/model.h>
#include <actswap/run/compare.h>
#include <actswap/run/model_run.h>

#include <torch/script.h>

#include <algorithm>
#include <cmath>
#include <utility>

namespace actswap {

namespace jit = torch::jit;

namespace {

void move_all(const jit::Module& blended, double t) {
  for_each_blend(blended, [t](jit::Module& blend) { blend.setattr("t", t); });
}

std::vector<torch::Tensor> outputs_of(const jit::Module& module,
                                      const std::vector<torch::Tensor>& inputs) {
  return tensors_in(ModelRun(module)(inputs));
}

bool is_finite(const torch::Tensor& tensor) {
  return tensor.isfinite().all().item<bool>();
}

}  // namespace

Safeguard::Safeguard(jit::Module& blended, const std::vector<torch::Tensor>& inputs,
                     std::vector<torch::Tensor> fitted, Together together)
    : blended_(blended),
      inputs_(inputs),
      fitted_(std::move(fitted)),
      together_(std::move(together)),
      before_(copy_tensors(fitted_)),
      original_outputs_(outputs_of(blended, inputs)) {
  move_all(blended_, 1.0);
  swap_alone_ = error();
  move_all(blended_, 0.0);
}

Safeguard::Safeguard(jit::Module& blended, const jit::Module& original,
                     const std::vector<torch::Tensor>& inputs, std::vector<torch::Tensor> fitted,
                     Together together)
    : blended_(blended),
      inputs_(inputs),
      fitted_(std::move(fitted)),
      together_(std::move(together)),
      before_(copy_tensors(fitted_)),
      original_outputs_(outputs_of(original, inputs)) {
  swap_alone_ = error();
}

double Safeguard::error() {
  const auto outputs = outputs_of(blended_, inputs_);
  double sum = 0.0;
  for (std::size_t i = 0; i < std::min(outputs.size(), original_outputs_.size()); ++i) {
    if (is_continuous(outputs[i]) && outputs[i].sizes() == original_outputs_[i].sizes()) {
      sum += output_difference(outputs[i], original_outputs_[i]).square().sum().item<double>();
    }
  }
  return together_.sum(sum);
}

std::string Safeguard::undo_harm() {
  const double calibrated = error();
  const bool is_a_number = std::isfinite(calibrated) && std::ranges::all_of(fitted_, is_finite);
  if (is_a_number && calibrated <= swap_alone_) {
    return "";
  }
  const torch::NoGradGuard no_grad;
  for (std::size_t i = 0; i < fitted_.size(); ++i) {
    fitted_[i].copy_(before_[i]);
  }
  return is_a_number
             ? "the outputs were nearer to the original's without the calibration"
             : "some inputs lead to values that are no finite numbers; leave these inputs out";
}

}  // namespace actswap
