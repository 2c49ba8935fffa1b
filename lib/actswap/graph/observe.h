// Watching what passes through the sites of a model while it runs.
#pragma once

#include <actswap/graph/model.h>

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

namespace actswap {

/// What is called at a site, on the thread that runs the model, before the activation is applied
/// (with its input) and after (with its output).
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

/// Makes every blend of a module that has not run yet report what it puts out, wherever a
/// BlendRecorder listens. What the module computes stays the same.
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

/// Listens to the blends that run on this thread: copies of what they put out, in the order in
/// which they run, through which gradients flow. (What follows may write into the values.)
class BlendRecorder {
 public:
  /// @param values what is heard is added; must outlive the recorder
  explicit BlendRecorder(std::vector<torch::Tensor>& values);

 private:
  SiteObserver observer_;
  Observing observing_;
};

}  // namespace actswap
