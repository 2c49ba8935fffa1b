// A conversion in whose folder stands how it is going, whatever happens to it.
#pragma once

#include <actswap/pipeline/conversion_state.h>

#include <functional>

namespace actswap {

/// Writes run.json and metrics.jsonl: the run begins, or goes on where its last checkpoint was; and
/// in the end that it is done, was interrupted or failed.
/// @param convert is given the record, which it fills in
/// @throws what `convert` throws. Interrupted, and a FileError, then say how to go on
Run recorded(const Model& model, const Plan& plan, const ConvertOptions& options,
             const ConvertCallbacks& callbacks,
             const std::function<Run(RunProgress, Run&)>& convert);

}  // namespace actswap
