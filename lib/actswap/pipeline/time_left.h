// How long a conversion will take: from what its phases have taken so far.
#pragma once

#include <actswap/base/export.h>

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

namespace actswap {

/// A phase to come. Those of one kind take as long as each other: the control as long as the
/// training before it, each further seed as long as the first.
struct RunPhase {
  std::string name = {};
  std::string kind = {};
};

class ACTSWAP_API TimeLeft {
 public:
  /// @param phases in their order; one that does not happen after all is passed over
  explicit TimeLeft(std::vector<RunPhase> phases = {})
      : phases_(std::move(phases)), current_(phases_.size()) {}

  /// A phase is at this share of itself. One that is not in the list counts for itself alone.
  /// @param phase its name in the list
  /// @param share in [0, 1]
  /// @param now in seconds, never falling, from any zero
  void note(const std::string& phase, double share, double now);

  std::size_t number() const { return is_listed() ? current_ + 1 : 0; }  ///< from 1; 0: not listed
  std::size_t count() const { return phases_.size(); }

  /// Of the run, as far as it is known: phases of a kind that has not been seen are left out.
  /// Negative: nothing is known yet.
  double seconds_left(double now) const;
  /// Whether such phases are to come, so that it will take longer.
  bool is_longer() const;
  /// Of the run's time, in [0, 1], as far as it is known.
  double share(double now) const;

 private:
  struct Taken {
    std::string kind;
    double seconds;
  };
  const double* taken_by(const std::string& kind) const;
  double left_in_phase(double now) const;
  bool is_listed() const { return current_ < phases_.size(); }

  std::vector<RunPhase> phases_;
  std::vector<Taken> taken_ = {};
  std::string phase_ = {};    ///< that runs
  std::size_t current_;       ///< its place in the list; its size: it is in none
  double first_share_ = 0.0;  ///< of the phase, when it was noted first, at
  double first_noted_ = 0.0;
  double share_ = 0.0;  ///< when it was noted last, at
  double noted_ = 0.0;
  double run_begin_ = -1.0;
};

}  // namespace actswap
