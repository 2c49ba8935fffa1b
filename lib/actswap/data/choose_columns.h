// Which columns of a file are the model's inputs, and which are targets.
#pragma once

#include <actswap/data/column.h>
#include <actswap/data/load.h>

#include <string>
#include <vector>

namespace actswap {

struct Parts {
  Columns inputs;         ///< in the order of the model's arguments
  Columns targets;        ///< empty: there are none
  Columns left_out;       ///< with the reason
  std::string path = {};  ///< for messages: where all of it comes from
};

/// Inputs are the columns that the options name, otherwise those named like the model's leading
/// arguments, otherwise the first ones; targets are those that the options name, otherwise the
/// rest. Among fields (CSV), inputs by order are all but the last one, and those not named like
/// arguments form one input, N x fields.
/// @param path for messages
/// @throws FileError if there is no such column or it cannot be used; UsageError if nothing tells
///   inputs and targets apart
Parts choose_columns(Columns columns, const std::vector<std::string>& arguments,
                     const DataOptions& options, const std::string& path);

}  // namespace actswap
