#include <actswap/graph/in_place.h>
#include <actswap/graph/normalise.h>
#include <actswap/graph/scan.h>

#include <torch/csrc/jit/api/function_impl.h>

namespace actswap {

namespace jit = torch::jit;

namespace {

std::string site_id(const std::string& module, const std::string& method, int ordinal) {
  return module + "/" + method + "/" + std::to_string(ordinal);
}

void add_sites(CodeSite& code, int ordinal, const std::vector<const ModuleEntry*>& objects,
               const CallCounts& counts) {
  for (const auto* object : objects) {
    const auto& entry = *object;
    const auto& method = code.method->name();
    if (counts.of(entry.module._ivalue().get(), method) == 0) {
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
    if (site.obstacle.empty() && saves_itself(code.type)) {
      site.obstacle =
          "its module is saved by code of its own (__getstate__), which would lose a blend";
    }
    code.sites.push_back(std::move(site));
    code.modules.push_back(entry.module);
  }
}

// What the graph of the method alone cannot tell.
std::string caller_obstacle(const CodeSite& code, const std::vector<c10::ClassTypePtr>& types) {
  const auto* input = code.match.input;
  if (!code.match.in_place || input->node()->kind() != c10::prim::Param) {
    return "";
  }
  if (input->owningGraph() != jit::toGraphFunction(*code.method).graph().get()) {
    return "it writes in place to what torch.jit.fork was given";
  }
  if (!argument_is_read_elsewhere(types, code.type, code.method->name(), input->offset())) {
    return "";
  }
  return "it writes in place to an argument that a caller reads elsewhere";
}

}  // namespace

std::vector<CodeSite> scan(const jit::Module& root) {
  const auto modules = distinct_modules(root);
  const CallCounts counts(modules);
  const auto types = distinct_types(modules);
  const auto objects = objects_by_class(modules);
  std::vector<CodeSite> found;
  for (const auto& type : types) {
    for (auto* method : user_methods(type)) {
      int ordinal = 0;
      for (auto& match : match_all(*jit::toGraphFunction(*method).graph())) {
        CodeSite code{.type = type, .method = method, .match = std::move(match)};
        if (code.match.obstacle.empty()) {
          code.match.obstacle = caller_obstacle(code, types);
        }
        add_sites(code, ordinal++, objects.at(type), counts);
        found.push_back(std::move(code));
      }
    }
  }
  return found;
}

}  // namespace actswap
