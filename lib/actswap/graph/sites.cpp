#include <actswap/graph/normalise.h>
#include <actswap/graph/scan.h>
#include <actswap/graph/sites.h>

#include <torch/csrc/jit/api/function_impl.h>

#include <algorithm>
#include <set>
#include <unordered_map>

namespace actswap {

namespace jit = torch::jit;

std::string_view to_string(SiteForm form) {
  switch (form) {
    case SiteForm::module:
      return "module";
    case SiteForm::function:
      return "function";
    case SiteForm::op:
      return "op";
    case SiteForm::pattern:
      return "pattern";
  }
  return "";
}

std::vector<Site> find_sites(const Model& model) {
  const auto root = normalise(recompile(model.module));
  std::vector<Site> sites;
  for (auto& code : scan(root)) {
    std::move(code.sites.begin(), code.sites.end(), std::back_inserter(sites));
  }
  // The scan goes class by class; people think in the order of the module tree.
  std::unordered_map<std::string, std::size_t> position;
  for (const auto& entry : distinct_modules(root)) {
    position.emplace(entry.path, position.size());
  }
  std::stable_sort(sites.begin(), sites.end(), [&](const Site& a, const Site& b) {
    return position.at(a.module) < position.at(b.module);
  });
  return sites;
}

std::vector<std::string> elementwise_operators(const Model& model) {
  static const std::set<std::string> kElementwise = {
      "abs",       "add",   "clamp",      "cos",         "div",       "erf",       "exp",
      "hardtanh",  "log",   "log1p",      "max",         "min",       "mul",       "neg",
      "pow",       "relu",  "relu6",      "rsqrt",       "sigmoid",   "sin",       "sqrt",
      "sub",       "tanh",  "leaky_relu", "hardsigmoid", "hardswish", "threshold", "clamp_min",
      "clamp_max", "prelu", "softplus",   "maximum",     "minimum",   "square"};
  std::set<std::string> operators;
  for (const auto& type : distinct_types(distinct_modules(model.module))) {
    for (auto* method : user_methods(type)) {
      for_each_node(jit::toGraphFunction(*method).graph()->block(), [&](jit::Node* node) {
        std::string name = node->kind().toUnqualString();
        if (name.ends_with('_')) {
          name.pop_back();
        }
        if (node->kind().ns() == c10::Symbol::aten("x").ns() && kElementwise.contains(name)) {
          operators.insert(name);
        }
      });
    }
  }
  return {operators.begin(), operators.end()};
}

}  // namespace actswap
