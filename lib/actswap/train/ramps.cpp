#include <actswap/base/error.h>
#include <actswap/train/ramps.h>

#include <algorithm>
#include <sstream>

namespace actswap {

namespace {

// Progress is a quotient of whole numbers, what users write a decimal fraction: equal up to this.
constexpr double kRounding = 1e-9;

}  // namespace

Ramps ramps_within(const std::vector<Schedule>& schedules, double last,
                   const std::optional<double>& bound) {
  Ramps ramps{.begin = schedules.front().options().begin};
  double length = 0.0;
  double hold = 0.0;
  for (const auto& schedule : schedules) {
    ramps.begin = std::min(ramps.begin, schedule.options().begin);
    ramps.end = std::max(ramps.end, schedule.options().end);
    hold = std::max(hold, schedule.options().hold);
    length = std::max(length, schedule.length());
  }
  if (length > last + kRounding) {
    std::ostringstream text;
    text << "Expected a schedule that ends within the training of " << last
         << " epochs, but it reaches t = 1 at epoch " << ramps.end;
    if (length > ramps.end) {
      text << " and holds it until " << length;
    }
    text << "; train for longer or end the ramp earlier";
    throw UsageError(text.str());
  }
  const double deadline = last - (hold > 0.0 ? hold : 0.5 * last);
  if (bound && ramps.end > deadline + kRounding) {
    std::ostringstream text;
    text << "Expected with a bound a ramp that reaches t = 1 by epoch " << deadline
         << ", so that it can be held, but it ends at epoch " << ramps.end
         << "; end it earlier, or name a shorter hold";
    throw UsageError(text.str());
  }
  ramps.deadline = std::max(deadline, ramps.end);
  return ramps;
}

}  // namespace actswap
