// What a conversion does by default: the one place that decides it, for the command and for
// programs alike.
#pragma once

#include <actswap/base/export.h>
#include <actswap/graph/model.h>
#include <actswap/pipeline/convert_options.h>
#include <actswap/pipeline/request.h>

namespace actswap {

/// Fills in all that the request leaves open, by what the evidence says is best (docs/recovery.md).
/// Looks at the data, and at what the model gives for a few batches of it; computes the loss of
/// one.
/// @throws UsageError for data without examples, for options that have no effect or do not go
///   together, and where model and data do not fit; FileError where no output or no record can be
///   written
ACTSWAP_API ConvertOptions resolve(const Model& model, const ConvertRequest& request);

}  // namespace actswap
