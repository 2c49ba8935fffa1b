#include <actswap/graph/reload.h>
#include <actswap/graph/walk.h>
#include <actswap/prune/operator_rules.h>
#include <actswap/prune/other_inputs.h>
#include <actswap/run/model_run.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <map>
#include <set>
#include <string>
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

class Attempts {
 public:
  explicit Attempts(const torch::jit::Module& module)
      : run_(reload(module), {.optimizes_graphs = false}) {}

  bool accepts(const Inputs& inputs) {
    try {
      run_(inputs);
      return true;
    } catch (const std::exception&) {  // it takes no others
      return false;
    }
  }

  // By the first factor that gives another size which is accepted.
  bool resize(Inputs& inputs, const std::vector<Side>& sides, const std::vector<Factor>& factors) {
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

 private:
  ModelRun run_;
};

// Whether code asks for the rank or the type of its input, and so may take another branch.
bool asks_for_forms(const torch::jit::Module& module) {
  return any_node(module, [](const torch::jit::Node* node) {
    const std::string name = node->kind().toUnqualString();
    return name == "len" || asks_for_form(name);
  });
}

}  // namespace

std::vector<Inputs> with_other_sizes(const torch::jit::Module& module, const Inputs& inputs) {
  Attempts attempts(module);
  std::vector<Inputs> found = {inputs};
  for (const auto& factors : kWays) {
    auto all = inputs;
    std::set<Side> done;
    for (const auto& sides : candidates(inputs)) {
      if (std::ranges::all_of(sides, [&](const Side& side) { return done.contains(side); })) {
        continue;
      }
      auto alone = inputs;
      if (attempts.resize(all, sides, factors)) {
        done.insert(sides.begin(), sides.end());
      } else if (attempts.resize(alone, sides, factors)) {
        done.insert(sides.begin(), sides.end());
        found.push_back(std::move(alone));
      }
    }
    if (!done.empty()) {
      found.push_back(std::move(all));
    }
  }
  return found;
}

void add_other_forms(const torch::jit::Module& module, std::vector<Inputs>& found) {
  if (!asks_for_forms(module)) {
    return;
  }
  Attempts attempts(module);
  const Inputs inputs = found.front();
  const auto add = [&](const auto& changed) {
    Inputs others;
    for (const auto& input : inputs) {
      others.push_back(changed(input));
    }
    if (attempts.accepts(others)) {
      found.push_back(std::move(others));
    }
  };
  add([](const torch::Tensor& input) { return input.dim() > 1 ? input.select(0, 0) : input; });
  for (const std::int64_t dim : {1, 2}) {
    add([&](const torch::Tensor& input) {
      return input.dim() >= dim ? torch::stack({input, input}, dim) : input;
    });
  }
  add([](const torch::Tensor& input) {
    return input.to(input.is_floating_point() ? torch::kFloat64 : torch::kInt32);
  });
}

}  // namespace actswap
