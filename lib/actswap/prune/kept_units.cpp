#include <actswap/base/error.h>
#include <actswap/calibrate/program_tensors.h>
#include <actswap/graph/reload.h>
#include <actswap/prune/kept_units.h>
#include <actswap/run/model_run.h>

#include <torch/script.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <set>
#include <string>
#include <utility>

namespace actswap {

namespace {

// Enough to tell which tensors belong together.
constexpr std::int64_t kExamples = 2;

std::set<std::int64_t> numbers(const torch::Tensor& indices) {
  const auto plain = indices.to(torch::kLong).contiguous();
  const auto* begin = plain.const_data_ptr<std::int64_t>();
  return {begin, std::next(begin, plain.numel())};
}

bool is_same(const KeptEntries& a, const KeptEntries& b) {
  return a.readers == b.readers &&
         std::ranges::equal(a.indices, b.indices, [](const auto& one, const auto& other) {
           return one.first == other.first && numbers(one.second) == numbers(other.second);
         });
}

}  // namespace

KeptEntries kept_entries(const torch::jit::Module& module, const Units& units,
                         const KeptUnits& keep) {
  std::map<std::pair<std::string, std::int64_t>, torch::Tensor> is_kept;
  KeptEntries kept;
  for (std::size_t g = 0; g < units.groups.size(); ++g) {
    for (const auto& slice : units.groups[g].slices) {
      const auto size = tensor_at(module, slice.tensor).size(slice.dim);
      auto [found, is_new] = is_kept.try_emplace({slice.tensor, slice.dim});
      if (is_new) {
        found->second = torch::ones({size}, torch::kBool);
      }
      for (std::size_t unit = 0; unit < keep[g].size(); ++unit) {
        if (!keep[g][unit]) {
          found->second.index_fill_(0, torch::tensor(slice.entries[unit], torch::kLong), false);
          if (slice.role == SliceRole::input) {
            kept.readers.insert(slice.tensor);
          }
        }
      }
    }
  }
  for (const auto& [entry, mask] : is_kept) {
    if (!mask.all().item<bool>()) {
      kept.indices.emplace(entry, torch::nonzero(mask).squeeze(1));
    }
  }
  return kept;
}

KeptUnits units_of(const torch::jit::Module& module, const Units& units, const KeptEntries& kept) {
  auto keep = keep_all(units);
  for (std::size_t g = 0; g < units.groups.size(); ++g) {
    for (const auto& slice : units.groups[g].slices) {
      const auto found = kept.indices.find({slice.tensor, slice.dim});
      if (found == kept.indices.end()) {
        continue;
      }
      const auto stay = numbers(found->second);
      for (std::size_t unit = 0; unit < keep[g].size(); ++unit) {
        keep[g][unit] = keep[g][unit] && std::ranges::all_of(slice.entries[unit], [&](auto entry) {
                          return stay.contains(entry);
                        });
      }
    }
  }
  if (!is_same(kept_entries(module, units, keep), kept)) {
    throw FileError(
        "Expected a checkpoint with the units of the model, but it has removed others than the "
        "model has");
  }
  return keep;
}

std::vector<torch::Tensor> few_examples(const torch::jit::Module& module,
                                        const std::vector<torch::Tensor>& batch) {
  std::vector<torch::Tensor> few;
  few.reserve(batch.size());
  for (const auto& input : batch) {
    few.push_back(input.narrow(0, 0, std::min(kExamples, input.size(0))));
  }
  try {
    ModelRun(reload(module), {.optimizes_graphs = false})(few);
    return few;
  } catch (const UsageError&) {
    return batch;
  }
}

}  // namespace actswap
