#include <actswap/pipeline/time_left.h>

#include <algorithm>

namespace actswap {

void TimeLeft::note(const std::string& phase, double share, double now) {
  run_begin_ = run_begin_ < 0.0 ? now : run_begin_;
  share = std::clamp(share, 0.0, 1.0);
  if (phase != phase_) {
    auto from = phases_.begin();
    if (is_listed()) {
      taken_.push_back({phases_[current_].kind, noted_ - first_noted_});
      from += static_cast<std::ptrdiff_t>(current_);  // a name may come again, with the next seed
    }
    const auto next =
        std::find_if(from, phases_.end(), [&](const RunPhase& each) { return each.name == phase; });
    current_ = static_cast<std::size_t>(next - phases_.begin());
    phase_ = phase;
    first_share_ = share;
    first_noted_ = now;
  }
  share_ = share;
  noted_ = now;
}

const double* TimeLeft::taken_by(const std::string& kind) const {
  const auto found = std::ranges::find(taken_, kind, &Taken::kind);
  return found == taken_.end() ? nullptr : &found->seconds;
}

// Uses the pace since the first note: earlier time went to other work. Subtracts the time since the
// last note.
double TimeLeft::left_in_phase(double now) const {
  if (share_ >= 1.0) {
    return 0.0;
  }
  if (share_ > first_share_ && noted_ > first_noted_) {
    const double pace = (noted_ - first_noted_) / (share_ - first_share_);
    return std::max(0.0, (1.0 - share_) * pace - (now - noted_));
  }
  const auto* taken = is_listed() ? taken_by(phases_[current_].kind) : nullptr;
  return taken == nullptr ? -1.0 : std::max(0.0, *taken - (now - first_noted_));
}

double TimeLeft::seconds_left(double now) const {
  double left = left_in_phase(now);
  if (left < 0.0 || !is_listed()) {
    return left;
  }
  const auto& kind = phases_[current_].kind;
  const double whole = now - first_noted_ + left;
  for (auto i = current_ + 1; i < count(); ++i) {
    const auto* taken = taken_by(phases_[i].kind);
    left += taken != nullptr ? *taken : phases_[i].kind == kind ? whole : 0.0;
  }
  return left;
}

bool TimeLeft::is_longer() const {
  if (!is_listed()) {
    return false;
  }
  return std::any_of(phases_.begin() + static_cast<std::ptrdiff_t>(current_) + 1, phases_.end(),
                     [&](const RunPhase& each) {
                       return each.kind != phases_[current_].kind && taken_by(each.kind) == nullptr;
                     });
}

double TimeLeft::share(double now) const {
  const double left = seconds_left(now);
  const double gone = now - run_begin_;
  return run_begin_ < 0.0 || left < 0.0 || gone + left <= 0.0 ? 0.0 : gone / (gone + left);
}

}  // namespace actswap
