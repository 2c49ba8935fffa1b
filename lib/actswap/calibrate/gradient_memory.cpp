#include <actswap/base/error.h>
#include <actswap/base/out_of_memory.h>
#include <actswap/calibrate/gradient_memory.h>
#include <actswap/run/allocations.h>

#include <torch/csrc/autograd/autograd.h>

#include <algorithm>
#include <exception>

namespace actswap {

GradientMemory memory_of_gradient(const std::function<torch::Tensor()>& error,
                                  const std::vector<torch::Tensor>& tensors) {
  torch::Tensor found;
  const auto forward = allocated([&] { found = error(); });
  const auto backward = allocated([&] {
    torch::autograd::grad({found}, tensors, {}, /*retain_graph=*/false, /*create_graph=*/false,
                          /*allow_unused=*/true);
  });
  return {.forward = forward.most, .all = std::max(forward.most, forward.left + backward.most)};
}

Fitting fitting_into(std::int64_t memory,
                     const std::function<GradientMemory(std::int64_t)>& taken_by, std::int64_t few,
                     std::int64_t least, std::int64_t unless_known) {
  try {
    const auto less = taken_by(few);
    const auto more = taken_by(2 * few);
    // The gradients of large weights may outweigh what few examples take, and hide its growth.
    const auto each = std::max<std::int64_t>(
        {1, (more.forward - less.forward) / few, (more.all - less.all) / few});
    const auto count = std::max(least, 2 * few + (memory - more.all) / each);
    return {.count = count, .bytes = more.all + (count - 2 * few) * each};
  } catch (const UsageError&) {  // the number of examples stands in a traced model
    return {.count = unless_known};
  } catch (const std::exception& problem) {
    if (is_out_of_memory(problem)) {
      throw;
    }
    return {.count = unless_known};  // there is no gradient, which the fit will say
  }
}

}  // namespace actswap
