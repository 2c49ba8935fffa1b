#include <actswap/graph/normalise.h>
#include <actswap/graph/scan.h>
#include <actswap/graph/sites.h>

#include <ATen/core/dispatch/Dispatcher.h>
#include <torch/csrc/jit/api/function_impl.h>

#include <algorithm>
#include <set>
#include <unordered_map>

namespace actswap {

namespace jit = torch::jit;

namespace {

// By LibTorch's own mark on its operators.
bool is_elementwise(const jit::Node* node) {
  const auto* schema = node->kind().is_aten() ? node->maybeSchema() : nullptr;
  const auto found =
      schema == nullptr
          ? std::nullopt
          : c10::Dispatcher::singleton().findSchema({schema->name(), schema->overload_name()});
  return found && found->hasTag(at::Tag::pointwise);
}

// Those of the functions that are called too.
void add_elementwise(jit::Block* block, std::set<std::string>& operators) {
  for_each_node(block, [&](jit::Node* node) {
    if (node->kind() == c10::prim::CallFunction) {
      if (auto* callee = callee_of(node)) {
        add_elementwise(callee->graph()->block(), operators);
      }
    } else if (is_elementwise(node)) {
      std::string name = node->kind().toUnqualString();
      operators.insert(name.ends_with('_') ? name.substr(0, name.size() - 1) : name);
    }
  });
}

}  // namespace

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
  std::set<std::string> operators;
  for (const auto& type : distinct_types(distinct_modules(model.module))) {
    for (auto* method : user_methods(type)) {
      add_elementwise(jit::toGraphFunction(*method).graph()->block(), operators);
    }
  }
  return {operators.begin(), operators.end()};
}

std::string why_no_sites(const Model& model) {
  std::string names;
  for (const auto& name : elementwise_operators(model)) {
    names += (names.empty() ? "" : ", ") + name;
  }
  return names.empty() ? "no known activation, and no elementwise operator"
                       : "no known activation; its elementwise operators are " + names;
}

}  // namespace actswap
