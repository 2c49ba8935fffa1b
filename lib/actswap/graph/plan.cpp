#include <actswap/base/error.h>
#include <actswap/graph/blend.h>
#include <actswap/graph/plan.h>

#include <algorithm>
#include <utility>

namespace actswap {

namespace {

bool matches_site(const std::string& pattern, const Site& site) {
  return glob_match(pattern, site.id) || glob_match(pattern, site.module);
}

void check_matches_something(const std::string& option, const std::string& pattern,
                             const std::vector<Site>& sites) {
  if (std::none_of(sites.begin(), sites.end(),
                   [&](const Site& site) { return matches_site(pattern, site); })) {
    throw UsageError(option + " '" + pattern + "' matches no site of this model; its sites are " +
                     (sites.empty() ? "none" : "named like '" + sites.front().id + "'") +
                     " (actswap inspect lists them)");
  }
}

bool matches_any(const std::vector<std::string>& patterns, const Site& site) {
  return std::any_of(patterns.begin(), patterns.end(),
                     [&](const std::string& pattern) { return matches_site(pattern, site); });
}

void check_has_no_blends(const Model& model) {
  std::size_t blends = 0;
  for_each_blend(model.module, [&](const torch::jit::Module&) { ++blends; });
  if (blends > 0) {
    throw UsageError("'" + model.path + "' is a blended file, with " + std::to_string(blends) +
                     " blends in it; collapse it first (actswap collapse), or take the model that "
                     "it was made from");
  }
}

struct Source {
  ActivationSpec activation;
  bool any_parameters;  // "swish", but neither "silu" nor "swish(1)"
};

std::vector<Source> resolve_sources(const std::vector<std::string>& names) {
  std::vector<Source> sources;
  sources.reserve(names.size());
  for (const auto& name : names) {
    sources.push_back({resolve(name), names_any_parameters(name)});
  }
  return sources;
}

bool is_source(const ActivationSpec& activation, const std::vector<Source>& sources) {
  if (sources.empty()) {
    return activation.activation->default_source;
  }
  return std::any_of(sources.begin(), sources.end(), [&](const Source& source) {
    return source.any_parameters ? source.activation.activation == activation.activation
                                 : source.activation == activation;
  });
}

}  // namespace

bool glob_match(std::string_view pattern, std::string_view text) {
  std::size_t p = 0;
  std::size_t t = 0;
  std::size_t star = std::string_view::npos;  // the last '*' seen, and what it has eaten up to
  std::size_t eaten = 0;
  while (t < text.size()) {
    if (p < pattern.size() && (pattern[p] == '?' || pattern[p] == text[t]) && pattern[p] != '*') {
      ++p;
      ++t;
    } else if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      eaten = t;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      t = ++eaten;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') {
    ++p;
  }
  return p == pattern.size();
}

std::size_t Plan::swapped() const {
  return static_cast<std::size_t>(std::count_if(
      sites.begin(), sites.end(), [](const PlannedSite& site) { return site.target.has_value(); }));
}

Plan keep_activations(const Model& model) {
  check_has_no_blends(model);
  Plan plan;
  for (auto& site : find_sites(model)) {
    plan.sites.push_back({std::move(site), std::nullopt, "kept by --keep-activations"});
  }
  return plan;
}

Plan plan(const Model& model, const PlanOptions& options) {
  check_has_no_blends(model);
  const auto target = resolve(options.to);
  const auto sources = resolve_sources(options.sources);
  const auto sites = find_sites(model);
  for (const auto& pattern : options.only) {
    check_matches_something("--only", pattern, sites);
  }
  for (const auto& pattern : options.keep) {
    check_matches_something("--keep", pattern, sites);
  }
  std::vector<std::pair<std::string, ActivationSpec>> rules;
  for (const auto& [pattern, name] : options.rules) {
    check_matches_something("--site", pattern, sites);
    rules.emplace_back(pattern, resolve(name));
  }

  Plan plan;
  for (const auto& site : sites) {
    PlannedSite planned{site, std::nullopt, ""};
    const auto rule = std::find_if(rules.rbegin(), rules.rend(), [&](const auto& candidate) {
      return matches_site(candidate.first, site);
    });
    const bool ruled = rule != rules.rend();
    const auto& wanted = ruled ? rule->second : target;
    const auto name = site.activation.to_string();
    if (!site.obstacle.empty()) {
      planned.reason = "cannot be replaced: " + site.obstacle;
    } else if (matches_any(options.keep, site)) {
      planned.reason = "kept by --keep";
    } else if (!options.only.empty() && !matches_any(options.only, site)) {
      planned.reason = "not among --only";
    } else if (!ruled && !is_source(site.activation, sources)) {
      planned.reason = sources.empty() ? name + " is replaced only where --source names it"
                                       : name + " is not among --source";
    } else if (site.activation == wanted) {
      planned.reason = "is already " + name;
    } else {
      planned.target = wanted;
      planned.reason = ruled ? "by --site " + rule->first : "selected";
    }
    plan.sites.push_back(std::move(planned));
  }
  return plan;
}

}  // namespace actswap
