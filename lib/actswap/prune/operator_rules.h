// How operators pass on the labels of their tensors.
#pragma once

#include <actswap/prune/labelled_run.h>

#include <string>

namespace actswap {

/// Ties labels and gives the outputs theirs, by the rule that the table has for the operator.
/// @return false if it has none: the caller must freeze the labels of all inputs
bool apply_rule(const OperatorCall& call, LabelledRun& run);

/// Whether the operator asks for the type or size of a tensor, and not for its values.
bool asks_for_form(const std::string& name);

}  // namespace actswap
