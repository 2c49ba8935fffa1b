// What a conversion will do, for its progress.
#pragma once

#include <actswap/pipeline/convert_options.h>
#include <actswap/pipeline/time_left.h>

#include <vector>

namespace actswap {

/// The phases that report progress, in their order, by the names that ConvertCallbacks give them.
std::vector<RunPhase> phases_of(const ConvertOptions& options);

}  // namespace actswap
