#include <actswap/base/files.h>
#include <actswap/base/same_file.h>
#include <actswap/export/output_name.h>
#include <actswap/graph/blend.h>
#include <actswap/graph/retarget.h>
#include <actswap/measure/fixed_batch.h>
#include <actswap/pipeline/expect_swaps.h>
#include <actswap/pipeline/write_blended.h>

namespace actswap {

BlendedFile write_blended(const Model& model, const Plan& plan, const BlendRequest& request,
                          const CalibrationCallbacks& callbacks) {
  expect_swaps(model, plan);
  check_output_name(request.output);
  check_writable(request.output);
  if (!request.exporting.overwrites_original) {
    check_not_overwritten(request.output, model.path);  // before a calibration, which takes long
  }
  const auto data = in_batches_of(model, request.calibration_data);
  const auto options = request.calibration.resolved(/*is_trained=*/false);
  Retargeter swap(model, plan, data ? Tensors::copied : Tensors::shared, BlendCode::stock);
  BlendedFile file;
  if (data) {
    file.calibration = calibrate(swap, *data, options, request.seed, callbacks);
    file.t = 1.0;
  }
  file.has_own_set_blend = has_own_set_blend(model.module);
  file.verification = save_blended(swap, request.output, request.exporting, file.t);
  return file;
}

}  // namespace actswap
