// Whether a swap pays, as JSON and as a table.
#pragma once

#include <actswap/base/export.h>
#include <actswap/measure/payoff.h>

#include <string>
#include <vector>

namespace actswap {

/// What `inspect --pays --json` prints; see docs/formats.md.
ACTSWAP_API std::string payoff_json(const Model& model, const Plan& plan,
                                    const std::vector<Payoff>& payoffs);

/// A line a setting, and a sentence.
ACTSWAP_API std::string payoff_table(const Plan& plan, const std::vector<Payoff>& payoffs);

}  // namespace actswap
