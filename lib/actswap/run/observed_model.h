// A model that reports the values passing through its sites.
#pragma once

#include <actswap/graph/model.h>
#include <actswap/graph/observe.h>
#include <actswap/run/model_run.h>

#include <torch/types.h>

#include <optional>
#include <string>
#include <vector>

namespace actswap {

/// A copy of a model that reports at every site; it computes what the model does.
class ObservedModel {
 public:
  explicit ObservedModel(const Model& model);

  /// Site ids; a site's number, as observers get it, is its place in here.
  const std::vector<std::string>& sites() const { return sites_; }

  /// Runs forward as ModelRun does. @return the tensors of its output, see tensors_in
  std::vector<torch::Tensor> run(const std::vector<torch::Tensor>& inputs,
                                 const SiteObserver& observer);

  /// How long the last forward took, the observer's calls included.
  double milliseconds() const { return run_->milliseconds(); }

 private:
  std::vector<std::string> sites_;
  std::optional<ModelRun> run_;
};

}  // namespace actswap
