// A conversion that keeps its status in its folder, whatever happens to it.
#pragma once

#include <actswap/pipeline/conversion_state.h>

#include <functional>

namespace actswap {

/// Writes run.json and metrics.jsonl: that the run begins, or continues from its last checkpoint,
/// and in the end that it is done, was interrupted or failed.
/// @param convert gets the record and fills it in
/// @throws what `convert` throws. The texts of Interrupted and FileError then say how to continue
Run recorded(const Model& model, const Plan& plan, const ConvertOptions& options,
             const ConvertCallbacks& callbacks,
             const std::function<Run(RunProgress, Run&)>& convert);

}  // namespace actswap
