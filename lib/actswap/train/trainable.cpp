#include <actswap/base/error.h>
#include <actswap/graph/model.h>
#include <actswap/train/trainable.h>

#include <algorithm>
#include <sstream>

namespace actswap {

namespace {

// What an optimizer can step.
void check_type(const std::string& name, const torch::Tensor& parameter) {
  const auto type = c10::toRealValueType(parameter.scalar_type());
  const bool is_known = type == torch::kFloat32 || type == torch::kFloat64 ||
                        type == torch::kHalf || type == torch::kBFloat16;
  if (parameter.layout() != torch::kStrided || !is_known) {
    std::ostringstream text;
    text << "Expected dense parameters of float64, float32, float16 or bfloat16, or complex ones, "
            "to train, but '"
         << name << "' is of " << parameter.dtype() << ", " << parameter.layout()
         << "; it does not take part where it requires no gradient";
    throw UsageError(text.str());
  }
}

}  // namespace

void keep_statistics(const torch::jit::Module& root) {
  for (auto module : root.modules()) {
    if (module.hasattr("running_mean") && module.hasattr("training")) {
      module.setattr("training", false);
    }
  }
}

std::vector<torch::Tensor> trainable_parameters(const torch::jit::Module& module) {
  for (const auto& parameter : module.named_parameters()) {
    if (parameter.value.requires_grad()) {
      check_type(parameter.name, parameter.value);
    }
  }
  auto parameters = distinct_parameters(module);
  std::erase_if(parameters, [](const torch::Tensor& tensor) { return !tensor.requires_grad(); });
  if (parameters.empty()) {
    throw UsageError(
        "Expected a model with parameters that require a gradient, but it has no trainable "
        "parameters; if it was frozen, --thaw makes its constants parameters, or take the file "
        "from before freezing");
  }
  return parameters;
}

bool holds_half(const ModuleTensors& tensors) {
  const auto all = tensors.now();
  return std::any_of(all.begin(), all.end(), [](const torch::Tensor& tensor) {
    return tensor.defined() && c10::toRealValueType(tensor.scalar_type()) == torch::kHalf;
  });
}

}  // namespace actswap
