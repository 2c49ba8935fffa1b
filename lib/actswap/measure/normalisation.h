// Whether inputs are normalised like those that the model was trained on.
#pragma once

#include <actswap/base/export.h>
#include <actswap/data/dataset.h>
#include <actswap/data/load.h>
#include <actswap/graph/model.h>

#include <optional>
#include <string>

namespace actswap {

/// The first batch norm that runs keeps mean m and variance v of each channel from the training.
/// This runs some of the data (32 examples), which have mean m' and variance v' there. The distance
/// of a channel is twice the Kullback-Leibler divergence of the normal distributions,
///
///     (m' - m)² / v + v' / v - 1 - log(v' / v),
///
/// and that of the inputs the median over the channels. It is 0 for the training's own inputs, and
/// about 2 where a division by 0.225 was forgotten.
///
/// It warns if the distance is above 0.5 and another scale of the same inputs would have less than
/// a quarter of it: standardised by their own mean and deviation, without `options`' mean and
/// deviation, or times 255. So it does not warn of inputs of another kind than the training's.
///
/// @return a sentence that says what was found and which scale would be nearer; empty if all is
///   well or unknown: no batch norm keeps statistics, the first input is not of floats, there are
///   fewer than 8 examples, or the model rejects the inputs
ACTSWAP_API std::optional<std::string> doubt_normalisation(const Model& model, const Dataset& data,
                                                           const DataOptions& options);
/// The same with the mean and deviation that load_data was given; a data set of your own counts as
/// not normalised by actswap.
ACTSWAP_API std::optional<std::string> doubt_normalisation(const Model& model, const Dataset& data);

}  // namespace actswap
