// The checkpoints of a conversion: what each of its phases gave, and how far the one in work is.
//
// A resumed conversion takes the same way as one that begins. Each long phase first asks whether it
// is finished, and takes what it gave; or how far it was, and goes on there. What is cheap is done
// again.
#pragma once

#include <actswap/checkpoint/state.h>
#include <actswap/pipeline/checkpoint_interval.h>
#include <actswap/pipeline/run_facts.h>
#include <actswap/pipeline/run_log.h>
#include <actswap/ranks/together.h>
#include <actswap/train/trainer.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace actswap {

class RunCheckpoints {
 public:
  /// Two files in the run's folder, "checkpoint-0" and "checkpoint-1", are written in turn.
  /// @param folder empty: none are written
  /// @param together of which rank 0 reads and writes; the others are told what it has read
  RunCheckpoints(std::string folder, const CheckpointInterval& interval, std::vector<RunFact> facts,
                 RunLog& log, Together together = {});

  /// Reads the newer of the two, or the older where that is damaged; none: the run begins.
  /// @param warn with a sentence about a damaged one
  /// @return whether there was one
  /// @throws UsageError where its facts differ; FileError where both are damaged
  bool take_up(const std::function<void(const std::string&)>& warn);

  /// What a phase gave; empty where it is not finished.
  std::optional<State> finished(const std::string& phase) const;
  /// How far it was; empty: not begun.
  State unfinished(const std::string& phase) const;
  /// Keeps a copy of what it gave, and writes a checkpoint.
  void finish(const std::string& phase, const State& result);
  /// Results that belong together: a checkpoint holds all of them or none.
  void finish(const std::vector<std::pair<std::string, State>>& results);
  /// Keeps what a part of a search gave, which is not needed when the search is done (forget).
  /// Writes a checkpoint where one is due, or would take less than a twentieth of the time.
  /// @param part "SEARCH/PART"; finished() gives it again
  void note(const std::string& part, const State& result);
  /// What it gave is no longer needed.
  void forget(const std::string& phase);
  /// Writes a checkpoint in the middle of a phase.
  void save(const std::string& phase, const State& now);

  /// Whether the interval is over; always before an interruption. At the end of an epoch: unless
  /// writing would take more than a twentieth of the time.
  bool is_due(SavePoint point);
  /// The files go. @return whether there were any
  bool remove();

  const Together& together() const { return together_; }

  /// Since the run began, without the times in between.
  double seconds() const;
  /// How the last one that is whole is called in messages; empty: there is none.
  const std::string& last() const { return last_; }

 private:
  std::string path(std::int64_t number) const;
  std::optional<State> read_newest(const std::function<void(const std::string&)>& warn);
  void write(const State& content);
  /// Ranks that write nothing remember what is finished as rank 0 does.
  bool remembers() const { return !folder_.empty() || !together_.is_alone(); }

  std::string folder_;
  CheckpointInterval interval_;
  std::vector<RunFact> facts_;
  RunLog& log_;
  Together together_;
  State finished_;
  std::string phase_;  // in work, of a run that was taken up
  State unfinished_;
  std::int64_t number_ = 0;  // of the next one
  std::int64_t steps_ = 0;   // since the last
  std::string last_;
  std::chrono::steady_clock::time_point begin_;
  std::chrono::steady_clock::time_point last_time_;
  std::chrono::steady_clock::duration write_takes_ = {};
};

}  // namespace actswap
