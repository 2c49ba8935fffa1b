// What becomes of each site.
#pragma once

#include <actswap/activation/activation.h>
#include <actswap/base/export.h>
#include <actswap/graph/sites.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace actswap {

struct PlanOptions {
  std::string to = "relu";  ///< the target of every selected site
  /// Names; empty: the rows that are sources by default. A row's name alone ("swish") matches any
  /// parameters, an alias ("silu") or a row with parameters ("elu(1)") only these.
  std::vector<std::string> sources = {};
  std::vector<std::string> only = {};  ///< globs over ids and module paths; empty: all
  std::vector<std::string> keep = {};  ///< globs of sites to leave as they are; overrides all else
  /// Globs with a target of their own; the last that matches wins.
  std::vector<std::pair<std::string, std::string>> rules = {};
};

struct PlannedSite {
  Site site;
  std::optional<ActivationSpec> target = {};  ///< empty: stays as it is
  std::string reason = {};                    ///< why, for people
};

struct ACTSWAP_API Plan {
  std::vector<PlannedSite> sites = {};
  std::size_t swapped() const;
};

/// '*' matches any run of characters, '?' any one, and any other character itself.
ACTSWAP_API bool glob_match(std::string_view pattern, std::string_view text);

/// A plan that swaps nothing, for pruning alone.
/// @throws UsageError for a model that has blends in it already
ACTSWAP_API Plan keep_activations(const Model& model);

/// @throws UsageError for an unknown target or source (with the nearest name), a pattern that
///   matches no site, or a model that has blends in it already.
ACTSWAP_API Plan plan(const Model& model, const PlanOptions& options);

}  // namespace actswap
