// The data of a conversion in batches that its model takes.
#pragma once

#include <actswap/graph/model.h>
#include <actswap/pipeline/convert_options.h>

#include <string>

namespace actswap {

/// The options with their data in such batches (in_batches_of). Runs the model for that, unless
/// this was done before.
ConvertOptions with_batches(const Model& model, const ConvertOptions& options);

/// "every batch has 4 examples, ..."; empty where the model takes any number.
std::string batches_in_words(const ConvertOptions& options);

}  // namespace actswap
