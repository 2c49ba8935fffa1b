#include <actswap/pipeline/site_history.h>

#include <utility>

namespace actswap {

namespace {

using Samples = std::map<std::string, SiteValues>;

Samples sample(const torch::jit::Module& module, const std::vector<torch::Tensor>& inputs) {
  Model model;
  model.module = module;
  return sample_sites(model, inputs);
}

// Another model may have no such site: one that the new function's own code does not show. Or it
// may have fewer channels there.
std::optional<double> error(const Samples& model, const std::string& id,
                            const SiteValues& expected) {
  const auto found = model.find(id);
  return found == model.end() || found->second.elements != expected.elements
             ? std::nullopt
             : relative_variance(found->second.outputs, expected.outputs);
}

}  // namespace

SiteHistory::SiteHistory(const Model& original, const torch::jit::Module& swapped,
                         std::vector<torch::Tensor> inputs)
    : original_(original),
      inputs_(std::move(inputs)),
      before_(sample_sites(original, inputs_)),
      swapped_(sample(swapped, inputs_)) {}

std::map<std::string, SiteRecord> SiteHistory::records(const torch::jit::Module& exported) const {
  constexpr int kRounds = 3;  // for a share of the time that people read
  const auto after = sample(exported, inputs_);
  std::map<std::string, SiteRecord> found;
  for (const auto& [id, cost] : measure_sites(original_, inputs_, kRounds)) {
    found[id].cost = cost;
  }
  for (const auto& [id, values] : before_) {
    auto& record = found[id];
    record.inputs = histogram(values.inputs);
    record.error_of_swap = error(swapped_, id, values);
    record.error_of_export = error(after, id, values);
  }
  return found;
}

}  // namespace actswap
