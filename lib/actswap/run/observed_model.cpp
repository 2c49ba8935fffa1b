#include <actswap/run/observed_model.h>

#include <utility>

namespace actswap {

ObservedModel::ObservedModel(const Model& model) {
  auto observed = insert_observers(recompile(model.module));
  sites_ = std::move(observed.sites);
  run_.emplace(recompile(observed.root));
}

std::vector<torch::Tensor> ObservedModel::run(const std::vector<torch::Tensor>& inputs,
                                              const SiteObserver& observer) {
  const Observing observing(observer);
  return tensors_in((*run_)(inputs));
}

}  // namespace actswap
