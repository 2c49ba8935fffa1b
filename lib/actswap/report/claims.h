// What a run claims about its result, against the original and the control, and how certain it is.
#pragma once

#include <actswap/report/run.h>

#include <nlohmann/json.hpp>

#include <string>
#include <utility>
#include <vector>

namespace actswap {

/// Adds "agreement", "comparisons" and "seeds", each only if there is something to say.
void add_claims(nlohmann::ordered_json& json, const Run& run);

nlohmann::ordered_json agreement_json(const Agreement& agreement);
nlohmann::ordered_json judgement_json(const Judgement& judgement);
/// "91.20 %" of an accuracy, otherwise a number.
std::string metric_text(const Evaluation& evaluation);

/// Rows of the summary: a label and a value.
std::vector<std::pair<std::string, std::string>> claim_rows(const Run& run);

}  // namespace actswap
