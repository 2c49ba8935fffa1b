// The checkpoints of a conversion: the results of finished phases, and how far the current one is.
//
// A resumed conversion runs the same code as a new one. Each long phase first asks whether it is
// finished, and then takes its result, or how far it was, and then continues there. Cheap work is
// done again.
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
  /// @param together ranks of which only rank 0 reads and writes; it tells the others what it read
  RunCheckpoints(std::string folder, const CheckpointInterval& interval, std::vector<RunFact> facts,
                 RunLog& log, Together together = {});

  /// Reads the newer of the two, or the older if that is damaged. Without any, the run begins anew.
  /// @param warn with a sentence about a damaged one
  /// @return whether there was one
  /// @throws UsageError where its facts differ; FileError where both are damaged
  bool take_up(const std::function<void(const std::string&)>& warn);

  /// The result of a phase; empty if it is not finished.
  std::optional<State> finished(const std::string& phase) const;
  /// How far a phase was; empty: not begun.
  State unfinished(const std::string& phase) const;
  /// Keeps a copy of a phase's result, and writes a checkpoint.
  void finish(const std::string& phase, const State& result);
  /// Results that belong together: a checkpoint holds all of them or none.
  void finish(const std::vector<std::pair<std::string, State>>& results);
  /// Keeps the result of a part of a search until the search is done (forget). Writes a checkpoint
  /// if one is due or would take less than a twentieth of the time.
  /// @param part "SEARCH/PART"; finished() gives it again
  void note(const std::string& part, const State& result);
  /// Drops results that nobody needs any more.
  void forget(const std::string& phase);
  /// Writes a checkpoint in the middle of a phase.
  void save(const std::string& phase, const State& now);

  /// Whether the interval is over; always true before an interruption. At the end of an epoch, true
  /// unless writing would take more than a twentieth of the time.
  bool is_due(SavePoint point);
  /// Removes the files. @return whether there were any
  bool remove();

  const Together& together() const { return together_; }

  /// Seconds of work since the run began, without interruptions.
  double seconds() const;
  /// The name of the last whole checkpoint, for messages; empty: there is none.
  const std::string& last() const { return last_; }

 private:
  std::string path(std::int64_t number) const;
  std::optional<State> read_newest(const std::function<void(const std::string&)>& warn);
  void write(const State& content);
  /// Ranks that write nothing also remember finished phases.
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
