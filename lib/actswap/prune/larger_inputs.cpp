#include <actswap/graph/reload.h>
#include <actswap/prune/larger_inputs.h>
#include <actswap/run/model_run.h>

#include <cstdint>
#include <exception>
#include <functional>
#include <utility>

namespace actswap {

namespace {

using Inputs = std::vector<torch::Tensor>;

// The inputs, repeated along each dimension for which the condition holds.
Inputs larger(const Inputs& inputs,
              const std::function<bool(const torch::Tensor& input, std::int64_t dim)>& grows) {
  Inputs found;
  for (auto input : inputs) {
    for (std::int64_t d = 0; d < input.dim(); ++d) {
      if (grows(input, d)) {
        const auto size = input.size(d);
        input = input.index_select(d, torch::arange(size + (size + 1) / 2).remainder(size));
      }
    }
    found.push_back(input);
  }
  return found;
}

bool is_examples(const torch::Tensor& /*input*/, std::int64_t dim) {
  return dim == 0;
}

// Pixels of images, and steps of a sequence before its features.
bool is_place(const torch::Tensor& input, std::int64_t dim) {
  return dim >= 2 || (dim == 1 && !input.is_floating_point());
}

bool is_step(const torch::Tensor& input, std::int64_t dim) {
  return dim == 1 && (input.dim() == 3 || !input.is_floating_point());
}

}  // namespace

std::vector<Inputs> with_larger(const torch::jit::Module& module, const Inputs& inputs) {
  std::vector<Inputs> found = {inputs};
  const auto add = [&](const auto& grows) {
    try {
      auto others = larger(found.back(), grows);
      ModelRun(reload(module), {.optimizes_graphs = false})(others);
      found.push_back(std::move(others));
    } catch (const std::exception&) {  // one size of them fits it
    }
  };
  add(is_examples);
  add(is_place);
  add(is_step);
  return found;
}

}  // namespace actswap
