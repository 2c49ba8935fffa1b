#include <actswap/graph/uncalled_methods.h>
#include <actswap/prune/counted_labels.h>
#include <actswap/prune/frozen_units.h>

#include <algorithm>
#include <map>
#include <vector>

namespace actswap {

namespace {

class Freezer {
 public:
  explicit Freezer(LabelledRun& run) : run_(run), labels_(run.labels()), counted_(run) {}

  FrozenUnits run(const torch::jit::Module& module) {
    freeze_counted_elsewhere(module);
    freeze_read_elsewhere(module);
    choose_dimensions();
    freeze_unwritable_counts();
    return std::move(found_);
  }

 private:
  // If labels of a tensor depend on several dimensions (the heads of attention and their features),
  // cutting leaves a tensor only if labels are tied along all but one of them. This keeps the
  // dimension that leaves most units.
  void choose_dimensions() {
    for (auto& array : run_.several()) {
      array = run_.algebra().compressed(array);
      std::int64_t best = -1;
      std::int64_t most = -1;
      for (std::int64_t d = 0; only_dim(array) < 0 && d < array.dim(); ++d) {
        const auto units = array.size(d) > 1 ? units_along(array, d) : -1;
        if (units > most) {
          best = d;
          most = units;
        }
      }
      if (best >= 0) {
        run_.algebra().tie_to(array, best, "is one of several dimensions that channels make up");
      }
    }
  }

  std::int64_t units_along(const at::Tensor& array, std::int64_t dim) const {
    std::set<std::vector<Label>> units;  // heads beside examples come once for each of these
    for (std::int64_t i = 0; i < array.size(dim); ++i) {
      const auto entries = array.select(dim, i).flatten();
      std::vector<Label> roots;
      for (std::int64_t j = 0; j < entries.numel(); ++j) {
        if (!labels_.is_frozen(entries[j].item<Label>())) {
          roots.push_back(labels_.root(entries[j].item<Label>()));
        }
      }
      if (roots.size() == static_cast<std::size_t>(entries.numel())) {
        units.insert(std::move(roots));
      }
    }
    return static_cast<std::int64_t>(units.size());
  }

  void freeze_labels(const std::vector<Label>& labels, const std::string& reason) {
    for (const auto label : labels) {
      if (label != kFixed) {
        labels_.freeze(label, reason);
      }
    }
  }

  void freeze_dimension(const SourceTensor& source, std::size_t dim, const std::string& reason) {
    const auto size = source.tensor.size(static_cast<std::int64_t>(dim));
    for (std::int64_t i = 0; source.first[dim] != kFixed && i < size; ++i) {
      labels_.freeze(source.first[dim] + i, reason);
    }
  }

  void freeze_source(const SourceTensor& source, const std::string& reason) {
    for (std::size_t d = 0; d < source.first.size(); ++d) {
      freeze_dimension(source, d, reason);
    }
  }

  void freeze_read_elsewhere(const torch::jit::Module& module) {
    const auto read = tensors_of_uncalled_methods(module);
    const auto contained = contained_tensors(module);
    for (const auto& source : run_.sources()) {
      const auto* tensor = source.tensor.unsafeGetTensorImpl();
      if (const auto method = read.find(tensor); method != read.end()) {
        freeze_source(source,
                      "the method '" + method->second + "', which forward does not call, reads it");
      } else if (contained.contains(tensor)) {
        freeze_source(source, "a list or an object of the model holds it as well");
      }
    }
  }

  void freeze_counted_elsewhere(const torch::jit::Module& module) {
    const auto others = numbers_of_uncalled_methods(module);
    for (const auto& source : run_.sources()) {
      for (std::size_t d = 0; d < source.first.size(); ++d) {
        const auto size = source.tensor.size(static_cast<std::int64_t>(d));
        if (const auto known = others.find(size); known != others.end()) {
          freeze_dimension(source, d,
                           "the method '" + known->second +
                               "', which forward does not call, has the number " +
                               std::to_string(size));
        }
      }
    }
  }

  void freeze_unwritable_counts() {
    std::map<Place, std::vector<Label>> places;
    for (const auto& count : run_.counts()) {
      const auto labels = counted_.of(count);
      if (counted_.follow(count, labels)) {
        continue;
      }
      if (!count.place) {
        if (std::any_of(labels.begin(), labels.end(),
                        [&](Label label) { return !labels_.is_frozen(label); })) {
          found_.functions.insert(count.functions.begin(), count.functions.end());
          freeze_labels(labels, count.is_in_computed_list
                                    ? "its number stands in a list that is computed"
                                    : "its number is written in code that several modules share");
        }
        continue;
      }
      const auto [known, is_new] = places.emplace(*count.place, labels);
      if (!is_new && known->second != labels) {
        found_.unwritable.insert(*count.place);
        for (const auto& each : {known->second, labels}) {
          freeze_labels(each, "its number is written in code that runs several times");
        }
      }
    }
  }

  LabelledRun& run_;
  Labels& labels_;
  CountedLabels counted_;
  FrozenUnits found_;
};

}  // namespace

FrozenUnits freeze_units(LabelledRun& run, const torch::jit::Module& module) {
  return Freezer(run).run(module);
}

}  // namespace actswap
