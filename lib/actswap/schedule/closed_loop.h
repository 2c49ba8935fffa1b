// A ramp that waits for the model: checks of the model decide how far t moves along its schedule.
//
// A check measures how much worse than the original the model is now, at its t. Beyond the bound
// the ramp stands still; if the next check is still beyond it, the ramp returns to where a check
// was last within it; once one is, it continues. So a site may return to its old function for a
// while.
//
//   position <- position + d             if it moves; d: the training's progress since then
//   position <- position                 if it waits
//   position >= end - (deadline - now)   always: at the deadline t is 1, whatever the checks say
//
// Without a check beyond the bound, position and progress are the same.
#pragma once

#include <actswap/base/export.h>

#include <string>

namespace actswap {

enum class RampState {
  moves,
  waits,       ///< a check was beyond the bound
  steps_back,  ///< a second one was: it waits where a check was last within the bound
  must_go,     ///< it would wait, but the deadline does not allow it
  arrived,     ///< t is 1, and stays there
};
/// "moves", "waits", "steps back", "must go", "arrived".
ACTSWAP_API std::string to_string(RampState state);

struct ClosedLoopOptions {
  double begin = 0.0;     ///< of the schedule; >= 0
  double end = 0.0;       ///< of the schedule; >= begin
  double deadline = 0.0;  ///< progress at which t must be 1; >= end
  double bound = 0.0;     ///< how much worse the model may be on the way; >= 0
};

class ACTSWAP_API ClosedLoop {
 public:
  /// @throws UsageError for a value outside its range
  explicit ClosedLoop(const ClosedLoopOptions& options);

  /// Where the schedule is to be read, in [0, end].
  double position() const { return position_; }
  /// Training went on: `progress` never falls.
  void advance(double progress);
  /// Takes a check: the model, at the t of position(), is worse than the original by `drop` (NaN:
  /// beyond any bound). Returns what the ramp does from now on.
  RampState check(double drop);

  /// The state that a loop of the same options needs to continue.
  template <typename Fields>
  void visit_fields(Fields& fields) {
    fields("now", now_);
    fields("position", position_);
    fields("last_within", last_within_);
    fields("waits", waits_);
  }

 private:
  double least_position() const;

  ClosedLoopOptions options_;
  double now_ = 0.0;
  double position_ = 0.0;
  double last_within_;
  bool waits_ = false;
};

}  // namespace actswap
