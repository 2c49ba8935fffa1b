// Activations that are written out by hand: x * torch.sigmoid(x), and every other way to say it.
#pragma once

#include <actswap/graph/match.h>

#include <optional>

namespace actswap {

/// The activation that the elementwise operators ending in this node compute together, if they
/// depend only on one tensor and on constants. Values decide which one it is: this evaluates the
/// expression in double and compares it with the rows of the table, so that neither the order of
/// the factors nor the way to write a constant matters. A sigmoid that gates another tensor depends
/// on two tensors and is no activation.
std::optional<Match> match_pattern(torch::jit::Node* node);

}  // namespace actswap
