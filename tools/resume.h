// --resume RUN: the arguments of the run in the place of one's own.
#pragma once

#include <string>
#include <vector>

namespace actswap::tool {

/// The arguments that the run's record holds, where `convert --resume RUN` is given; otherwise
/// those given. The process then works in the folder that the run was begun in. What else is given
/// has to say what the run was begun with, but for what is shown and how often checkpoints are
/// written.
/// @throws FileError where there is no record; UsageError where the run is done, goes on in another
///   process, or has another value of an option that is given
std::vector<std::string> with_resumed_run(const std::vector<std::string>& arguments);

/// Whether the folder has the record of a run that this job of torchrun has begun and not ended.
bool is_unfinished_of_job(const std::string& run, const std::string& job);

}  // namespace actswap::tool
