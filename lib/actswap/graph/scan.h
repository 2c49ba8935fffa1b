// Sites of a normalised module, together with where they are in its graphs.
#pragma once

#include <actswap/graph/match.h>
#include <actswap/graph/sites.h>
#include <actswap/graph/walk.h>

#include <vector>

namespace actswap {

/// An activation in the code of a class, and its sites: one for each module object of the class
/// whose method is called. Code that nothing calls has none.
struct CodeSite {
  c10::ClassTypePtr type;
  torch::jit::Function* method = nullptr;
  Match match;
  std::vector<Site> sites;
  std::vector<torch::jit::Module> modules;  ///< of each site: the object whose code it is
  bool output_is_written = false;           ///< the model writes in place to the output
};

/// `root` must have been normalised; the result refers to its graphs.
std::vector<CodeSite> scan(const torch::jit::Module& root);

}  // namespace actswap
