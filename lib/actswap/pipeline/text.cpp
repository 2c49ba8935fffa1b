#include <actswap/pipeline/text.h>

#include <sstream>

namespace actswap {

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

}  // namespace actswap
