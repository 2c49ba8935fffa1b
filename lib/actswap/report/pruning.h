// Tables of what pruning can remove and has removed.
#pragma once

#include <actswap/base/export.h>
#include <actswap/prune/prune.h>
#include <actswap/report/run.h>

#include <string>
#include <utility>
#include <vector>

namespace actswap {

/// A line for each group of units, under a line of heads: the layers that compute them, how many
/// there are, what they cost; then what stays, and why.
ACTSWAP_API std::string units_table(const Units& units);
/// The same as JSON: see docs/formats.md.
ACTSWAP_API std::string units_json(const Model& model, const Units& units);

/// A line for each group of units, under a line of heads: units before and after, and the loss of
/// the layers that read them.
ACTSWAP_API std::string pruning_table(const Pruning& pruning);

/// Rows of the summary: a label and a value.
std::vector<std::pair<std::string, std::string>> pruning_rows(const PruneRecord& record);

}  // namespace actswap
