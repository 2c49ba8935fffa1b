#include <actswap/base/counted.h>
#include <actswap/measure/fixed_batch.h>
#include <actswap/pipeline/batches.h>

#include <algorithm>

namespace actswap {

ConvertOptions with_batches(const Model& model, const ConvertOptions& options) {
  auto found = options;
  if (found.has_batches) {
    return found;
  }
  for (auto* data : {&found.calibration_data, &found.train_data, &found.validation_data}) {
    *data = in_batches_of(model, *data);
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
