#include <actswap/base/error.h>
#include <actswap/data/sample.h>
#include <actswap/pipeline/sensitivity_request.h>

namespace actswap {

SensitivityOptions SensitivityRequest::resolved() const {
  for (const auto& data : {validation_data, calibration_data}) {
    if (data && data->size() == 0) {
      throw UsageError("Expected examples to measure the sensitivity on, but there are none");
    }
  }
  SensitivityOptions options;
  options.timing_inputs = timing_inputs.empty() ? first_inputs(*validation_data) : timing_inputs;
  if (calibration_data) {
    calibration.validate();
    options.calibration = calibration;
    options.calibration.passes = 0;
    options.calibration_batches =
        sample_inputs(*calibration_data, calibration.inputs, calibration.batch_size, seed);
  }
  return options;
}

}  // namespace actswap
