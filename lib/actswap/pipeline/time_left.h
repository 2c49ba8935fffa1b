// Estimates how long a conversion will take, from the times of its phases so far.
#pragma once

#include <actswap/base/export.h>

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

namespace actswap {

/// A phase to come. Phases of one kind take equally long: the control as long as the training
/// before it, each further seed as long as the first.
struct RunPhase {
  std::string name = {};
  std::string kind = {};
};

class ACTSWAP_API TimeLeft {
 public:
  /// @param phases in their order; one that does not happen after all is passed over
  explicit TimeLeft(std::vector<RunPhase> phases = {})
      : phases_(std::move(phases)), current_(phases_.size()) {}

  /// Notes that this share of a phase is done. A phase that is not listed counts for itself alone.
  /// @param phase its name in the list
  /// @param share in [0, 1]
  /// @param now in seconds, never falling, from any zero
  void note(const std::string& phase, double share, double now);

  std::size_t number() const { return is_listed() ? current_ + 1 : 0; }  ///< from 1; 0: not listed
  std::size_t count() const { return phases_.size(); }

  /// Seconds left in the run as far as known: without phases of a kind that has not run yet.
  /// Negative if nothing is known.
  double seconds_left(double now) const;
  /// Whether such phases will come, so that the run takes longer.
  bool is_longer() const;
  /// The share of the run's time passed, in [0, 1], as far as known.
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
