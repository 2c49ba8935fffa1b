// What operators do with the labels of their tensors.
#pragma once

#include <actswap/prune/labelled_run.h>

#include <string>

namespace actswap {

/// Ties labels and gives the outputs theirs, by the rule that the table has for the operator.
/// @return false where it has none: the labels of all inputs are to be frozen
bool apply_rule(const OperatorCall& call, LabelledRun& run);

/// Whether the operator asks for the type or size of a tensor, and not for its values.
bool asks_for_form(const std::string& name);

}  // namespace actswap
