// How messages and records word numbers and schedules.
#pragma once

#include <actswap/schedule/schedule.h>

#include <cstdint>
#include <string>

namespace actswap {

/// With six digits at most.
std::string number(double value);

/// "linear from 0 to 0.3 epochs", "t = 1 from the start".
std::string in_words(const Schedule& schedule);

/// What a joint fit is going to take, for the log: the trials of its rate, and its passes.
std::string time_of_trials(double seconds);
std::string time_of_passes(std::int64_t passes, double seconds);

}  // namespace actswap
