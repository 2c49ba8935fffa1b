// What `actswap sensitivity` prints.
#pragma once

#include <actswap/base/export.h>
#include <actswap/graph/model.h>
#include <actswap/measure/sensitivity.h>

#include <string>

namespace actswap {

/// schema 1; the sites from the best swap to the worst. See docs/formats.md.
ACTSWAP_API std::string sensitivity_json(const Model& model, const Sensitivity& sensitivity);

/// The table for people, in the same order.
ACTSWAP_API std::string sensitivity_table(const Model& model, const Sensitivity& sensitivity);

}  // namespace actswap
