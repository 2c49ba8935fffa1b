#include <actswap/graph/normalise.h>
#include <actswap/graph/scan.h>

#include <torch/csrc/jit/api/function_impl.h>

namespace actswap {

namespace jit = torch::jit;

namespace {

std::string site_id(const std::string& module, const std::string& method, int ordinal) {
  return module + "/" + method + "/" + std::to_string(ordinal);
}

void add_sites(CodeSite& code, int ordinal, const std::vector<ModuleEntry>& modules,
               const CallCounts& counts) {
  for (const auto& entry : modules) {
    const auto& method = code.method->name();
    if (entry.module.type() != code.type ||
        counts.of(entry.module._ivalue().get(), method) == 0) {
      continue;
    }
    Site site;
    site.id = site_id(entry.path, method, ordinal);
    site.module = entry.path;
    site.method = method;
    site.ordinal = ordinal;
    site.activation = code.match.activation;
    site.form = is_activation_module(entry.module) ? SiteForm::module : code.match.form;
    site.in_place = code.match.in_place;
    site.shared_with = entry.aliases;
    site.obstacle = code.match.obstacle;
    code.sites.push_back(std::move(site));
    code.modules.push_back(entry.module);
  }
}

}  // namespace

std::vector<CodeSite> scan(const jit::Module& root) {
  const auto modules = distinct_modules(root);
  const CallCounts counts(modules);
  std::vector<CodeSite> found;
  for (const auto& type : distinct_types(modules)) {
    for (auto* method : user_methods(type)) {
      int ordinal = 0;
      for (auto& match : match_all(*jit::toGraphFunction(*method).graph())) {
        CodeSite code{.type = type, .method = method, .match = std::move(match)};
        add_sites(code, ordinal++, modules, counts);
        found.push_back(std::move(code));
      }
    }
  }
  return found;
}

}  // namespace actswap
