// --resume RUN: takes the run's arguments in place of the given ones.
#pragma once

#include <string>
#include <vector>

namespace actswap::tool {

/// The arguments in the run's record if `convert --resume RUN` is given, otherwise the given ones.
/// The process then works in the folder in which the run began. Any other given option must have
/// the value that the run began with, except those on what is shown and how often checkpoints are
/// written.
/// @throws FileError if there is no record; UsageError if the run is done, still runs in another
///   process, or has another value for a given option
std::vector<std::string> with_resumed_run(const std::vector<std::string>& arguments);

/// Whether the folder has the record of a run that this job of torchrun has begun and not ended.
bool is_unfinished_of_job(const std::string& run, const std::string& job);

}  // namespace actswap::tool
