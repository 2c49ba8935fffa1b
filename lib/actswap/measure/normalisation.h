// Whether the inputs are normalised as those were that a model was trained on.
#pragma once

#include <actswap/base/export.h>
#include <actswap/data/dataset.h>
#include <actswap/data/load.h>
#include <actswap/graph/model.h>

#include <optional>
#include <string>

namespace actswap {

/// The first batch norm that runs keeps mean m and variance v of each channel, as the training saw
/// them. Some of the data (32 examples) are run, and give mean m' and variance v' there. The
/// distance of a channel is twice the Kullback-Leibler divergence of the normal distributions,
///
///     (m' - m)² / v + v' / v - 1 - log(v' / v),
///
/// and that of the inputs the median over the channels. It is 0 for the training's own inputs, and
/// about 2 where a division by 0.225 was forgotten.
///
/// A warning is given where the distance is above 0.5 and the same inputs would be at less than a
/// quarter of it in another scale: standardised by their own mean and deviation, without `options`'
/// mean and deviation, or times 255. So inputs of another kind than the training's are no reason.
///
/// @return a sentence that says what was found and what would be nearer; nothing where all is well
///   or nobody can tell: no batch norm keeps statistics, the first input is not of floats, there
///   are fewer than 8 examples, or the model rejects the inputs
ACTSWAP_API std::optional<std::string> doubt_normalisation(const Model& model, const Dataset& data,
                                                           const DataOptions& options);
/// With the mean and deviation that load_data was given for the data; a data set of your own counts
/// as not normalised by actswap.
ACTSWAP_API std::optional<std::string> doubt_normalisation(const Model& model, const Dataset& data);

}  // namespace actswap
