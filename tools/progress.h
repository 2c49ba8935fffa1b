// Progress of a training run: a bar where stderr is a terminal, a log line an epoch otherwise.
#pragma once

#include <actswap/train/trainer.h>

#include <chrono>
#include <cstdint>
#include <string>

namespace actswap::tool {

class ProgressDisplay {
 public:
  explicit ProgressDisplay(bool quiet);
  ~ProgressDisplay() { clear(); }  // an error is to stand on a line of its own
  ProgressDisplay(const ProgressDisplay&) = delete;
  ProgressDisplay& operator=(const ProgressDisplay&) = delete;
  void step(const std::string& phase, const Progress& progress);
  void epoch(const std::string& phase, const EpochRecord& epoch);
  void message(const std::string& text);
  /// So many of all are done.
  void count(const std::string& phase, std::int64_t done, std::int64_t all);
  /// Takes the bar away, before results are printed.
  void end() { clear(); }

 private:
  void clear();
  void draw(const std::string& phase, double share, double seconds, const std::string& text);

  bool bar_;
  bool drawn_ = false;
  double last_drawn_ = 0.0;  ///< seconds of training at which the bar was drawn
  std::string phase_;        ///< that is counted
  std::chrono::steady_clock::time_point begin_;
};

}  // namespace actswap::tool
