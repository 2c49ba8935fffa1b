#include <actswap/prune/counted_labels.h>

#include <cstddef>

namespace actswap {

std::vector<Label> CountedLabels::along(const at::Tensor& given, const Count& count) const {
  const auto array = run_.algebra().compressed(given);
  std::vector<Label> labels;
  for (std::int64_t i = count.begin; i < count.end; i += count.stride) {
    const auto at = depends_on(array, count.dim) ? i : 0;
    const auto label = array.select(count.dim, at).flatten()[0].item<Label>();
    // Units that lie in another dimension take nothing away from this one.
    labels.push_back(depends_on(array, count.dim) ? run_.labels().root(label) : kFixed);
  }
  return labels;
}

std::vector<Label> CountedLabels::of(const Count& count) const {
  return count.array.defined()
             ? along(count.array, count)
             : std::vector<Label>(
                   static_cast<std::size_t>((count.end - count.begin) / count.stride), kFixed);
}

bool CountedLabels::follow(const Count& count, const std::vector<Label>& labels) const {
  if (count.follows || count.size_of == nullptr) {
    return count.follows;
  }
  Count whole = count;
  whole.dim = count.size_dim;
  whole.begin = 0;
  whole.end = count.size_of->sizes.at(static_cast<std::size_t>(count.size_dim));
  whole.stride = 1;
  whole.array = at::Tensor();
  for (const auto& array : count.size_of->arrays) {
    whole.array = depends_on(array, count.size_dim) ? array : whole.array;
  }
  return of(whole) == labels;
}

}  // namespace actswap
