#include <actswap/kernel/composed_blend.h>

#include <torch/csrc/jit/api/compilation_unit.h>
#include <torch/csrc/jit/runtime/graph_executor.h>
#include <torch/jit.h>

#include <string>

namespace actswap {

namespace jit = torch::jit;

namespace {

std::string function(const char* name, const ActivationSpec& spec) {
  return std::string("def ") + name + "(x: Tensor) -> Tensor:\n    return " + spec.torchscript() +
         "\n";
}

}  // namespace

ComposedBlend::ComposedBlend(const ActivationSpec& source, const ActivationSpec& target)
    : unit_(jit::compile(function("source", source) + function("target", target))) {}

torch::Tensor ComposedBlend::operator()(const torch::Tensor& x, double t) const {
  // Two or three operators: nothing to optimise, and profiling would run them otherwise each time.
  const jit::GraphOptimizerEnabledGuard no_optimizer(false);
  const auto run = [&](const char* name) { return unit_->run_method(name, x).toTensor(); };
  if (t <= 0.0) {
    return run("source");
  }
  return t >= 1.0 ? run("target") : run("source") * (1.0 - t) + run("target") * t;
}

}  // namespace actswap
