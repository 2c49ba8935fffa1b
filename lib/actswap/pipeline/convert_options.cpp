#include <actswap/base/error.h>
#include <actswap/base/files.h>
#include <actswap/pipeline/convert.h>

#include <sstream>

namespace actswap {

bool ConvertOptions::is_measurable() const {
  const std::int64_t first = 0;
  return validation_data != nullptr && validation_data->size() > 0 &&
         validation_data->get({&first, 1}).target().defined();
}

void ConvertOptions::validate() const {
  const bool trained = train_data != nullptr;
  check_writable(output);
  if (control && !trained) {
    throw UsageError("Expected training data with the control, which is trained on it");
  }
  if (max_drop && !(*max_drop >= 0.0)) {
    std::ostringstream text;
    text << "Expected a largest drop of 0 or more, but got " << *max_drop;
    throw UsageError(text.str());
  }
  if (max_drop && !is_measurable()) {
    throw UsageError("The accuracy gate needs labelled validation data, but there is none");
  }
  if (trained && train.asks_for_checks() && !validation_data) {
    throw UsageError(
        "Expected validation data with a bound, with patience, with checks or where the best is "
        "kept, but there is none");
  }
  if (seeds < 1) {
    throw UsageError("Expected seeds > 0, but got " + std::to_string(seeds));
  }
  if (seeds > 1 && !validation_data) {
    throw UsageError("Several seeds are compared on validation data, but there is none");
  }
  if (seeds > 1 && !trained && !calibration_data) {
    throw UsageError(
        "Expected data to calibrate or train on with several seeds: a plain swap depends on none");
  }
}

}  // namespace actswap
