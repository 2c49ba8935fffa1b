// Progress of a run: a bar where stderr is a terminal, otherwise a line every 30 seconds.
#pragma once

#include <actswap/pipeline/time_left.h>
#include <actswap/train/trainer.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace actswap::tool {

/// "retarget 3/4 [######......] 2:10 left  step 120/937  t 0.300": as many of the details as fit,
/// the first ones first. A plus after the time says that phases will come which nobody has timed.
/// @param width of the line; 0: as wide as it gets, without a bar
std::string progress_line(const std::string& phase, const TimeLeft& time, double now,
                          const std::vector<std::string>& details, std::size_t width);

class ProgressDisplay {
 public:
  explicit ProgressDisplay(bool quiet);
  ~ProgressDisplay() { clear(); }  // so that an error stands on a line of its own
  ProgressDisplay(const ProgressDisplay&) = delete;
  ProgressDisplay& operator=(const ProgressDisplay&) = delete;

  /// What the run will do; without it, the time left is that of each phase.
  void plan(std::vector<RunPhase> phases) { time_ = TimeLeft(std::move(phases)); }
  void step(const std::string& phase, const Progress& progress);
  void epoch(const std::string& phase, const EpochRecord& epoch);
  void message(const std::string& text);
  void warning(const std::string& text);
  /// Shows how many are done.
  void count(const std::string& phase, std::int64_t done, std::int64_t all);
  /// Takes the bar away, before results are printed.
  void end() { clear(); }

 private:
  void show(const std::string& phase, std::int64_t done, std::int64_t all,
            const std::vector<std::string>& details);
  void draw(const std::string& line);
  void clear();
  double now() const;

  const bool bar_;
  const double log_interval_;  ///< seconds from one line to the next
  TimeLeft time_;
  bool drawn_ = false;
  double last_drawn_ = 0.0;
  double last_logged_ = 0.0;
  const std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
};

}  // namespace actswap::tool
