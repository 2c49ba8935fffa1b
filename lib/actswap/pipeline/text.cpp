#include <actswap/base/counted.h>
#include <actswap/pipeline/text.h>

#include <sstream>

namespace actswap {

namespace {

std::string about(double seconds) {
  return "about " + std::to_string(std::max<std::int64_t>(1, std::llround(seconds))) + " s";
}

}  // namespace

std::string number(double value) {
  std::ostringstream text;
  text << value;
  return text.str();
}

std::string in_words(const Schedule& schedule) {
  const auto& options = schedule.options();
  if (options.end == 0.0) {
    return "t = 1 from the start";
  }
  return to_string(schedule.curve()) + " from " + number(options.begin) + " to " +
         number(options.end) + (options.unit == ScheduleUnit::epochs ? " epochs" : " steps");
}

std::string time_of_trials(double seconds) {
  return "fitting all layers together: finding a rate takes " + about(seconds);
}

std::string time_of_passes(std::int64_t passes, double seconds) {
  return "fitting all layers together: at most " + counted(passes, "pass", "passes") + ", " +
         about(seconds);
}

}  // namespace actswap
