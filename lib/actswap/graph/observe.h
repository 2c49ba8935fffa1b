// Observes the values that pass through the sites of a model while it runs.
#pragma once

#include <actswap/graph/model.h>

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

namespace actswap {

/// A function that each site calls, on the thread that runs the model, before it applies the
/// activation (with its input) and after (with its output).
struct SiteObserver {
  std::function<void(std::size_t site, const torch::Tensor& input)> before;
  std::function<void(std::size_t site, const torch::Tensor& output)> after;
};

struct Observed {
  torch::jit::Module root;         ///< another object than was given where classes were split
  std::vector<std::string> sites;  ///< ids; a site's number, as observers get it, is its place here
};

/// Puts a call before and after each site of a module that has not run yet: "actswap::observe", an
/// operator of this library.
Observed insert_observers(const torch::jit::Module& root);

/// Makes every blend of a module that has not run yet report its output to a BlendRecorder, if one
/// listens. The module's outputs stay the same.
void insert_blend_observers(const torch::jit::Module& root);

/// While this lives, the sites that run on this thread call the observer.
class Observing {
 public:
  /// @param observer must outlive this
  explicit Observing(const SiteObserver& observer);
  ~Observing();
  Observing(const Observing&) = delete;
  Observing& operator=(const Observing&) = delete;

 private:
  const SiteObserver* before_;
};

/// Listens to the blends that run on this thread and copies their outputs in the order in which
/// they run. Gradients flow through the copies. (Later code may write into the outputs.)
class BlendRecorder {
 public:
  /// @param values the recorder adds the copies here; must outlive it
  explicit BlendRecorder(std::vector<torch::Tensor>& values);

 private:
  SiteObserver observer_;
  Observing observing_;
};

}  // namespace actswap
