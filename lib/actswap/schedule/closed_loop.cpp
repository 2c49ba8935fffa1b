#include <actswap/base/error.h>
#include <actswap/schedule/closed_loop.h>

#include <algorithm>
#include <cmath>
#include <sstream>

namespace actswap {

std::string to_string(RampState state) {
  switch (state) {
    case RampState::moves:
      return "moves";
    case RampState::waits:
      return "waits";
    case RampState::steps_back:
      return "steps back";
    case RampState::must_go:
      return "must go";
    case RampState::arrived:
      return "arrived";
  }
  return "";
}

ClosedLoop::ClosedLoop(const ClosedLoopOptions& options)
    : options_(options), last_within_(options.begin) {
  const auto fail = [](const char* what, double found) {
    std::ostringstream text;
    text << "Expected a closed loop with " << what << ", but got " << found;
    throw UsageError(text.str());
  };
  if (!std::isfinite(options.begin) || options.begin < 0.0) {
    fail("begin >= 0", options.begin);
  }
  if (!std::isfinite(options.end) || options.end < options.begin) {
    fail("end >= begin", options.end);
  }
  if (!std::isfinite(options.deadline) || options.deadline < options.end) {
    fail("a deadline no earlier than the ramp's end", options.deadline);
  }
  if (!(options.bound >= 0.0)) {
    fail("bound >= 0", options.bound);
  }
}

double ClosedLoop::least_position() const {
  return options_.end - (options_.deadline - now_);
}

void ClosedLoop::advance(double progress) {
  const double d = progress - now_;
  now_ = progress;
  // Before its beginning the ramp has nothing to wait with.
  const bool stands = waits_ && position_ >= options_.begin;
  position_ = std::max(position_ + (stands ? 0.0 : d), least_position());
  position_ = std::min(position_, options_.end);
}

RampState ClosedLoop::check(double drop) {
  if (position_ >= options_.end) {
    return RampState::arrived;
  }
  if (drop <= options_.bound) {
    waits_ = false;
    last_within_ = std::max(position_, options_.begin);
    return RampState::moves;
  }
  const bool second = waits_;
  waits_ = true;
  if (second) {
    const double back = std::max(std::min(position_, last_within_), least_position());
    const bool goes_back = back < position_;
    position_ = back;
    if (goes_back) {
      return RampState::steps_back;
    }
  }
  return least_position() >= position_ ? RampState::must_go : RampState::waits;
}

}  // namespace actswap
