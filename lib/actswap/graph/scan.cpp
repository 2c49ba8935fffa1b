#include <actswap/graph/in_place.h>
#include <actswap/graph/normalise.h>
#include <actswap/graph/scan.h>

#include <torch/csrc/jit/api/function_impl.h>

#include <unordered_map>

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

// Code that nothing calls is run by itself.
void look_at_memory(const std::vector<ModuleEntry>& modules, std::vector<CodeSite>& found) {
  std::vector<const Match*> matches;
  matches.reserve(found.size());
  for (const auto& code : found) {
    matches.push_back(&code.match);
  }
  Tracer tracer(modules, matches);
  const auto run = [&](const jit::Module& module, jit::Function& method) {
    tracer.run(module._ivalue().get(), *jit::toGraphFunction(method).graph());
  };
  for (auto* method : user_methods(modules.front().module.type())) {
    run(modules.front().module, *method);
  }
  std::unordered_map<c10::ClassTypePtr, jit::Module> any_object;
  for (const auto& entry : modules) {
    any_object.emplace(entry.module.type(), entry.module);
  }
  for (const auto& code : found) {
    if (!tracer.has_run(*jit::toGraphFunction(*code.method).graph())) {
      run(any_object.at(code.type), *code.method);
    }
  }
  const auto uses = tracer.is_complete() ? memory_uses(tracer) : MemoryUses{};
  const auto use_of = [&](const Match& match, const c10::ivalue::Object* object) {
    const auto use = uses.find({&match, object});
    return !tracer.is_complete() ? unknown_memory_use(match)
           : use == uses.end()   ? MemoryUse{}
                                 : use->second;
  };
  for (auto& code : found) {
    if (code.sites.empty() && code.match.obstacle.empty()) {
      code.match.obstacle = use_of(code.match, any_object.at(code.type)._ivalue().get()).obstacle;
    }
    for (std::size_t i = 0; i < code.sites.size(); ++i) {
      const auto use = use_of(code.match, code.modules[i]._ivalue().get());
      code.output_is_written = code.output_is_written || use.output_is_written;
      if (code.sites[i].obstacle.empty()) {
        code.sites[i].obstacle = use.obstacle;
      }
    }
  }
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
        add_sites(code, ordinal++, objects.at(type), counts);
        found.push_back(std::move(code));
      }
    }
  }
  look_at_memory(modules, found);
  return found;
}

}  // namespace actswap
