// Decides the defaults of a conversion: the only place that does, for the command and programs.
#pragma once

#include <actswap/base/export.h>
#include <actswap/graph/model.h>
#include <actswap/pipeline/convert_options.h>
#include <actswap/pipeline/request.h>

namespace actswap {

/// Fills in all that the request leaves open, with the values that the evidence favours
/// (docs/recovery.md). Looks at the data and at the model's outputs for a few batches of it, and
/// computes the loss of one.
/// @throws UsageError for data without examples, for options without effect or that exclude each
///   other, and if model and data do not fit; FileError if no output or no record can be written
ACTSWAP_API ConvertOptions resolve(const Model& model, const ConvertRequest& request);

}  // namespace actswap
