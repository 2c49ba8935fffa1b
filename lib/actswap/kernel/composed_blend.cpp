#include <actswap/kernel/composed_blend.h>

#include <torch/csrc/jit/api/compilation_unit.h>
#include <torch/csrc/jit/runtime/graph_executor.h>
#include <torch/jit.h>

#include <string>
#include <vector>

namespace actswap {

namespace jit = torch::jit;

namespace {

std::string function(const char* name, const ActivationSpec& spec) {
  return std::string("def ") + name + "(x: Tensor) -> Tensor:\n    return " + spec.torchscript() +
         "\n";
}

// As a factor of x: in x's type, with the channels where x has them.
torch::Tensor beside(const torch::Tensor& x, const torch::Tensor& per_channel,
                     std::int64_t channel_dim) {
  std::vector<std::int64_t> shape(static_cast<std::size_t>(x.dim()), 1);
  shape.at(static_cast<std::size_t>(at::maybe_wrap_dim(channel_dim, x.dim()))) = -1;
  return per_channel.to(x.options()).reshape(shape);
}

}  // namespace

ComposedBlend::ComposedBlend(const ActivationSpec& source, const ActivationSpec& target)
    : unit_(jit::compile(function("source", source) + function("target", target))) {}

torch::Tensor ComposedBlend::operator()(const torch::Tensor& x, double t,
                                        const CalibrationTensors& calibration) const {
  // Two or three operators: nothing to optimise, and profiling would run them otherwise each time.
  const jit::GraphOptimizerEnabledGuard no_optimizer(false);
  const auto run = [&](const char* name, const torch::Tensor& input) {
    return unit_->run_method(name, input).toTensor();
  };
  if (t <= 0.0) {
    return run("source", x);
  }
  const auto of_channel = [&](const torch::Tensor& parameter) {
    return beside(x, parameter, calibration.channel_dim);
  };
  auto target = run("target", calibration.d ? x + of_channel(*calibration.d) : x);
  if (calibration.a) {
    target = target * of_channel(*calibration.a);
  }
  if (calibration.b) {
    target = target + of_channel(*calibration.b);
  }
  return t >= 1.0 ? target : run("source", x) * (1.0 - t) + target * t;
}

}  // namespace actswap
