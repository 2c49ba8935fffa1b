#include <actswap/base/error.h>
#include <actswap/graph/insert.h>
#include <actswap/graph/observe.h>
#include <actswap/graph/retarget.h>
#include <actswap/graph/walk.h>

#include <algorithm>
#include <cmath>

namespace actswap {

namespace jit = torch::jit;

Retargeter::Retargeter(const Model& model, const Plan& plan, Tensors tensors, BlendCode code,
                       bool may_swap_nothing)
    : original_(model), plan_(plan) {
  if (plan.swapped() == 0 && !may_swap_nothing) {
    throw UsageError("The plan swaps nothing: " + std::to_string(plan.sites.size()) +
                     " sites, none selected (actswap inspect says why for each)");
  }
  const auto inserted = insert_blends(recompile(model.module), plan, code);
  module_ = tensors == Tensors::shared ? recompile(inserted.root) : reload(inserted.root);
  paths_ = inserted.paths;
  find_blends();
}

void Retargeter::find_blends() {
  for (const auto& [id, path] : paths_) {
    blends_.insert_or_assign(id, module_at(module_, path));
  }
}

void Retargeter::observe_blends() {
  const auto edited = recompile(module_);
  insert_blend_observers(edited);
  module_ = recompile(edited);
  find_blends();
}

void Retargeter::replace(const jit::Module& module) {
  module_ = module;
  find_blends();
}

void Retargeter::set_blend(double t) {
  for (const auto& [id, blend] : blends_) {
    set_blend(id, t);
  }
}

void Retargeter::set_blend(const std::string& site_id, double t) {
  if (std::isnan(t)) {
    throw UsageError("Expected a blend t from 0 to 1, but got one that is not a number");
  }
  const auto blend = blends_.find(site_id);
  if (blend == blends_.end()) {
    throw UsageError("There is no blended site '" + site_id + "'");
  }
  blend->second.setattr("t", std::clamp(t, 0.0, 1.0));
}

double Retargeter::blend(const std::string& site_id) const {
  const auto blend = blends_.find(site_id);
  if (blend == blends_.end()) {
    throw UsageError("There is no blended site '" + site_id + "'");
  }
  return blend->second.attr("t").toDouble();
}

jit::Module Retargeter::finish() const {
  return reload(collapsed(module_));
}

}  // namespace actswap
