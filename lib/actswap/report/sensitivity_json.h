// A sensitivity as a part of other JSON.
#pragma once

#include <actswap/measure/sensitivity.h>

#include <nlohmann/json.hpp>

namespace actswap {

nlohmann::ordered_json to_json_object(const Sensitivity& sensitivity);

}  // namespace actswap
