#include <actswap/calibrate/layer_comparison.h>
#include <actswap/calibrate/layers.h>
#include <actswap/run/outputs.h>

namespace actswap {

LayerComparison::LayerComparison(const torch::jit::Module& blended,
                                 const torch::jit::Module& original, const KeptEntries& pruned)
    : program_(blended, original), errors_(program_, find_neighbours(program_, pruned)) {
  moments_ = errors_.moments();
  const auto* end = program_.graph().return_node();
  moments_.push_back({end->input(0), program_.position(end)});
}

LayerComparison::Values LayerComparison::run(Which model,
                                             const std::vector<torch::Tensor>& inputs) {
  auto found = program_.run(model, 0, program_.beginning(inputs), moments_);
  Values values;
  values.outputs = tensors_in(found.back());
  found.pop_back();
  for (const auto& value : found) {
    values.layers.push_back(value.toTensor());
  }
  return values;
}

torch::Tensor LayerComparison::error(const Values& blended, const Values& original,
                                     const Together& together) const {
  return errors_.mean(blended.layers, original.layers, together);
}

}  // namespace actswap
