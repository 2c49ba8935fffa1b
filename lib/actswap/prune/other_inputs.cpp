#include <actswap/graph/code_questions.h>
#include <actswap/graph/reload.h>
#include <actswap/prune/other_inputs.h>
#include <actswap/run/model_run.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <map>
#include <set>
#include <utility>

namespace actswap {

namespace {

using Inputs = std::vector<torch::Tensor>;
/// Of an input, of a dimension.
using Side = std::pair<std::size_t, std::int64_t>;

struct Factor {
  std::int64_t times;
  std::int64_t over;
};

// Half as much again; twice as much where sizes have to be multiples of something; half.
const std::vector<std::vector<Factor>> kWays = {{{3, 2}, {2, 1}}, {{1, 2}}};

Inputs resized(Inputs inputs, const std::vector<Side>& sides, const Factor& factor) {
  for (const auto& [i, dim] : sides) {
    const auto size = inputs[i].size(dim);
    const auto wanted = (size * factor.times + factor.over - 1) / factor.over;
    inputs[i] = inputs[i].index_select(dim, torch::arange(wanted).remainder(size));
  }
  return inputs;
}

// Dimensions to give another size at once: that of the examples; each other one; those of one size.
std::vector<std::vector<Side>> candidates(const Inputs& inputs) {
  std::vector<Side> examples;
  std::vector<std::vector<Side>> found;
  std::map<std::int64_t, std::vector<Side>> of_size;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    for (std::int64_t d = 0; d < inputs[i].dim(); ++d) {
      if (d == 0) {
        examples.emplace_back(i, d);
      } else if (inputs[i].size(d) > 0) {
        found.push_back({{i, d}});
        of_size[inputs[i].size(d)].emplace_back(i, d);
      }
    }
  }
  found.insert(found.begin(), examples);
  for (const auto& [size, sides] : of_size) {
    if (sides.size() > 1) {
      found.push_back(sides);
    }
  }
  return found;
}

class OtherInputs {
 public:
  OtherInputs(const torch::jit::Module& module, const Inputs& inputs)
      : run_(reload(module), {.optimizes_graphs = false}), inputs_(inputs), found_{inputs} {}

  void add_sizes() {
    for (const auto& factors : kWays) {
      auto all = inputs_;
      std::set<Side> done;
      for (const auto& sides : candidates(inputs_)) {
        if (std::ranges::all_of(sides, [&](const Side& side) { return done.contains(side); })) {
          continue;
        }
        if (grow(all, sides, factors)) {
          done.insert(sides.begin(), sides.end());
        } else if (auto alone = inputs_; grow(alone, sides, factors)) {
          done.insert(sides.begin(), sides.end());
          found_.push_back(std::move(alone));
        }
      }
      if (!done.empty()) {
        found_.push_back(std::move(all));
      }
    }
  }

  void add_forms() {
    const auto each = [&](const auto& changed) {
      Inputs others;
      for (const auto& input : inputs_) {
        others.push_back(changed(input));
      }
      if (accepts(others)) {
        found_.push_back(std::move(others));
      }
    };
    each([](const torch::Tensor& input) { return input.dim() > 1 ? input.select(0, 0) : input; });
    for (const std::int64_t dim : {1, 2}) {
      each([&](const torch::Tensor& input) {
        return input.dim() >= dim ? torch::stack({input, input}, dim) : input;
      });
    }
    each([](const torch::Tensor& input) {
      return input.to(input.is_floating_point() ? torch::kFloat64 : torch::kInt32);
    });
  }

  std::vector<Inputs> found() && { return std::move(found_); }

 private:
  bool grow(Inputs& inputs, const std::vector<Side>& sides, const std::vector<Factor>& factors) {
    return std::ranges::any_of(factors, [&](const Factor& factor) {
      auto others = resized(inputs, sides, factor);
      const bool is_other = !std::ranges::equal(
          inputs, others, [](const auto& a, const auto& b) { return a.sizes() == b.sizes(); });
      if (!is_other || !accepts(others)) {
        return false;
      }
      inputs = std::move(others);
      return true;
    });
  }

  bool accepts(const Inputs& inputs) {
    try {
      run_(inputs);
      return true;
    } catch (const std::exception&) {  // it takes no others
      return false;
    }
  }

  ModelRun run_;
  const Inputs& inputs_;
  std::vector<Inputs> found_;
};

}  // namespace

std::vector<Inputs> with_other_sizes(const torch::jit::Module& module, const Inputs& inputs) {
  OtherInputs others(module, inputs);
  others.add_sizes();
  return std::move(others).found();
}

std::vector<Inputs> with_other_forms(const torch::jit::Module& module, const Inputs& inputs) {
  OtherInputs others(module, inputs);
  others.add_sizes();
  if (asks_for_rank_or_type(module)) {
    others.add_forms();
  }
  return std::move(others).found();
}

}  // namespace actswap
