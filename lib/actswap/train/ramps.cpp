#include <actswap/base/error.h>
#include <actswap/train/ramps.h>

#include <algorithm>
#include <sstream>

namespace actswap {

namespace {

// Progress is a quotient of whole numbers, what users write a decimal fraction: equal up to this.
constexpr double kRampRounding = 1e-9;

}  // namespace

Ramps::Ramps(const std::vector<Schedule>& schedules, double batches, double last) : last_(last) {
  if (schedules.empty()) {
    throw UsageError("Expected one schedule or more, but got none");
  }
  double length = 0.0;
  for (const auto& schedule : schedules) {
    schedules_.push_back(schedule.in_epochs(batches));
    length = std::max(length, schedules_.back().length());
  }
  if (length > last + kRampRounding) {
    std::ostringstream text;
    text << "Expected a schedule that ends within the training of " << last
         << " epochs, but it reaches t = 1 at epoch " << end();
    if (length > end()) {
      text << " and holds it until " << length;
    }
    text << "; train for longer or end the ramp earlier";
    throw UsageError(text.str());
  }
}

double Ramps::begin() const {
  double begin = schedules_.front().options().begin;
  for (const auto& schedule : schedules_) {
    begin = std::min(begin, schedule.options().begin);
  }
  return begin;
}

double Ramps::end() const {
  double end = 0.0;
  for (const auto& schedule : schedules_) {
    end = std::max(end, schedule.options().end);
  }
  return end;
}

std::vector<double> Ramps::at(double position) const {
  std::vector<double> blends;
  blends.reserve(schedules_.size());
  for (const auto& schedule : schedules_) {
    blends.push_back(schedule.at(position));
  }
  return blends;
}

ClosedLoop Ramps::closed_loop(double bound) const {
  double hold = 0.0;
  for (const auto& schedule : schedules_) {
    hold = std::max(hold, schedule.options().hold);
  }
  const double deadline = last_ - (hold > 0.0 ? hold : 0.5 * last_);
  if (end() > deadline + kRampRounding) {
    std::ostringstream text;
    text << "Expected with a bound a ramp that reaches t = 1 by epoch " << deadline
         << ", so that it can be held, but it ends at epoch " << end()
         << "; end it earlier, or name a shorter hold";
    throw UsageError(text.str());
  }
  return ClosedLoop(
      {.begin = begin(), .end = end(), .deadline = std::max(deadline, end()), .bound = bound});
}

}  // namespace actswap
