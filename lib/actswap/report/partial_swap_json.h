// The search for a partial swap as a part of other JSON.
#pragma once

#include <actswap/measure/partial_swap.h>

#include <nlohmann/json.hpp>

namespace actswap {

/// See docs/formats.md.
nlohmann::ordered_json to_json_object(const PartialSwap& partial);

}  // namespace actswap
