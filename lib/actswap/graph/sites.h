// Finding the places in a model where an activation is applied.
#pragma once

#include <actswap/activation/activation.h>
#include <actswap/base/export.h>
#include <actswap/graph/model.h>

#include <string>
#include <string_view>
#include <vector>

namespace actswap {

enum class SiteForm {
  module,    ///< a module whose forward is the activation (nn.Mish)
  function,  ///< torch.nn.functional.mish, with its branch on inplace
  op,        ///< the operator itself (torch.relu, x.silu_())
  pattern,   ///< written out by hand (x * torch.sigmoid(x))
};
ACTSWAP_API std::string_view to_string(SiteForm form);

struct Site {
  /// Stable: module path, method and ordinal among the method's sites: "layer1.0.act/forward/0".
  std::string id;
  std::string module;  ///< path of the module whose code applies it; empty: the root
  std::string method;
  int ordinal = 0;
  ActivationSpec activation;
  SiteForm form = SiteForm::op;
  bool in_place = false;
  /// Other paths by which the same module object is reached (one object under two names).
  std::vector<std::string> shared_with;
  /// Empty, or why this site cannot be replaced.
  std::string obstacle;
};

/// All sites of all rows of the table, in the order of the module tree, then of the code, those of
/// methods that only a caller from outside would call included.
/// A reused activation module (one nn.Mish called at several places) gives a site per use, in the
/// caller. The model's own graphs are not changed.
ACTSWAP_API std::vector<Site> find_sites(const Model& model);

/// Elementwise operators in the model, sorted, each once.
ACTSWAP_API std::vector<std::string> elementwise_operators(const Model& model);

/// For people, if no site was found: "no known activation; its elementwise operators are exp, mul".
ACTSWAP_API std::string why_no_sites(const Model& model);

}  // namespace actswap
