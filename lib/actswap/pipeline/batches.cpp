#include <actswap/base/counted.h>
#include <actswap/measure/fixed_batch.h>
#include <actswap/pipeline/batches.h>

#include <algorithm>
#include <map>
#include <memory>

namespace actswap {

ConvertOptions with_batches(const Model& model, const ConvertOptions& options) {
  auto found = options;
  if (found.has_batches) {
    return found;
  }
  std::map<std::shared_ptr<Dataset>, std::shared_ptr<Dataset>> known;  // often they are the same
  for (auto* data : {&found.calibration_data, &found.train_data, &found.validation_data}) {
    const auto [entry, is_new] = known.try_emplace(*data);
    if (is_new) {
      entry->second = in_batches_of(model, *data);
    }
    *data = entry->second;
  }
  found.has_batches = true;
  return found;
}

std::string batches_in_words(const ConvertOptions& options) {
  std::int64_t fixed = 0;
  for (const auto& data : {options.calibration_data, options.train_data, options.validation_data}) {
    fixed = std::max(fixed, data ? data->fixed_batch() : 0);
  }
  return fixed == 0 ? ""
                    : "every batch has " + counted(fixed, "example") +
                          ", since the model takes no other number";
}

}  // namespace actswap
