// The fields of what a calibration gives, for checkpoints.
#pragma once

#include <actswap/calibrate/calibrate.h>
#include <actswap/checkpoint/fields.h>

namespace actswap {

template <typename Fields>
void visit(Fields& fields, CalibratedSite& site) {
  fields("blend", site.blend);
  fields("producer", site.producer);
  fields("channels", site.channels);
  fields("mean_shift", site.mean_shift);
  fields("largest_shift", site.largest_shift);
  fields("mean_scale", site.mean_scale);
}

template <typename Fields>
void visit(Fields& fields, CalibratedLayer& layer) {
  fields("name", layer.name);
  fields("fit", layer.fit);
  fields("error_before", layer.error_before);
  fields("error_after", layer.error_after);
}

template <typename Fields>
void visit(Fields& fields, JointFitResult& joint) {
  fields("passes", joint.passes);
  fields("planned", joint.planned);
  fields("inputs", joint.inputs);
  fields("rate", joint.rate);
  fields("error_before", joint.error_before);
  fields("error_after", joint.error_after);
  fields("reason", joint.reason);
}

template <typename Fields>
void visit(Fields& fields, Calibration& calibration) {
  fields("inputs", calibration.inputs);
  fields("seconds", calibration.seconds);
  fields("sites", calibration.sites);
  fields("layers", calibration.layers);
  fields("joint", calibration.joint);
  fields("learning_rate", calibration.learning_rate);
  fields("batch_norms", calibration.batch_norms);
  fields("left_out", calibration.left_out);
}

}  // namespace actswap
