#include <actswap/base/activity.h>
#include <actswap/base/clock.h>
#include <actswap/base/counted.h>
#include <actswap/base/error.h>
#include <actswap/base/files.h>
#include <actswap/base/memory.h>
#include <actswap/checkpoint/fields.h>
#include <actswap/checkpoint/state_file.h>
#include <actswap/pipeline/run_checkpoints.h>

#include <ATen/Parallel.h>

#include <algorithm>
#include <filesystem>
#include <utility>

namespace actswap {

namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

constexpr int kFiles = 2;
constexpr int kLeastShare = 20;  // of the time, at the ends of epochs
// A step, and a checkpoint after it.
constexpr std::chrono::milliseconds kPatience = std::chrono::seconds(30);
constexpr int kPatienceInWrites = 10;

}  // namespace

RunCheckpoints::RunCheckpoints(std::string folder, const CheckpointInterval& interval,
                               std::vector<RunFact> facts, RunLog& log, Together together)
    : folder_(std::move(folder)),
      interval_(interval),
      facts_(std::move(facts)),
      log_(log),
      together_(std::move(together)),
      begin_(Clock::now()),
      last_time_(begin_) {}

std::string RunCheckpoints::path(std::int64_t number) const {
  return folder_ + "/checkpoint-" + std::to_string(number % kFiles);
}

double RunCheckpoints::seconds() const {
  return seconds_since(begin_);
}

std::optional<State> RunCheckpoints::read_newest(
    const std::function<void(const std::string&)>& warn) {
  std::optional<State> newest;
  std::string damage;
  int found = 0;
  for (int i = 0; i < kFiles; ++i) {
    std::error_code ignored;
    if (!fs::exists(path(i), ignored)) {
      continue;
    }
    ++found;
    try {
      auto state = read_state(path(i));
      std::int64_t number = 0;
      FieldReader{state}("number", number);
      if (!newest || number > number_) {
        newest = std::move(state);
        number_ = number;
      }
    } catch (const FileError& error) {
      damage = error.what();
    }
  }
  if (found > 0 && !newest) {
    throw FileError(damage + "; there is no other checkpoint in '" + folder_ + "'");
  }
  if (!damage.empty()) {
    warn(damage + "; resuming from the other one");
  }
  if (newest) {
    std::vector<RunFact> facts;
    FieldReader{*newest}("facts", facts);
    expect_same(facts, facts_, folder_);
  }
  return newest;
}

bool RunCheckpoints::take_up(const std::function<void(const std::string&)>& warn) {
  auto newest = together_.is_first() ? read_newest(warn) : std::nullopt;
  if (!together_.is_alone()) {
    const auto bytes = together_.of_first(newest ? to_bytes(*newest) : "");
    newest = bytes.empty() ? std::nullopt : std::optional(from_bytes(bytes));
  }
  if (!newest) {
    return false;
  }
  std::string log;
  double seconds = 0.0;
  FieldReader fields(*newest);
  fields("number", number_);
  fields("log", log);
  fields("phase", phase_);
  fields("unfinished", unfinished_);
  fields("finished", finished_);
  fields("seconds", seconds);
  std::int64_t threads = 0;
  fields("threads", threads);
  if (threads != at::get_num_threads()) {
    warn("the run had " + counted(threads, "thread") + " and now has " +
         std::to_string(at::get_num_threads()) + ": its numbers may differ in the last bits");
  }
  last_ = path(number_);
  ++number_;
  log_.take_up(log);
  begin_ -= std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
  return true;
}

std::optional<State> RunCheckpoints::finished(const std::string& phase) const {
  return finished_.has_part(phase) ? std::optional(finished_.part(phase)) : std::nullopt;
}

State RunCheckpoints::unfinished(const std::string& phase) const {
  return phase == phase_ ? unfinished_ : State();
}

void RunCheckpoints::finish(const std::string& phase, const State& result) {
  finish({{phase, result}});
}

void RunCheckpoints::finish(const std::vector<std::pair<std::string, State>>& results) {
  if (!remembers()) {
    return;
  }
  for (const auto& [part, result] : results) {
    finished_.remove_part(part);
    finished_.set_part(part, result.copy());
  }
  phase_.clear();
  unfinished_ = {};
  write({});
}

void RunCheckpoints::note(const std::string& part, const State& result) {
  if (!remembers()) {
    return;
  }
  finished_.remove_part(part);
  finished_.set_part(part, result.copy());
  if (is_due(SavePoint::step) || is_due(SavePoint::epoch)) {
    phase_.clear();
    unfinished_ = {};
    write({});
  }
}

void RunCheckpoints::forget(const std::string& phase) {
  finished_.remove_part(phase);
}

void RunCheckpoints::save(const std::string& phase, const State& now) {
  if (folder_.empty()) {
    return;
  }
  phase_ = phase;
  write(now);
  unfinished_ = {};
}

void RunCheckpoints::write(const State& now) {
  if (folder_.empty()) {
    return;
  }
  const auto begin = Clock::now();
  log_.flush();
  {
    State content;
    FieldWriter fields(content);
    fields("number", number_);
    fields("facts", facts_);
    fields("log", log_.text());
    fields("phase", phase_);
    fields("unfinished", now);
    fields("finished", finished_);
    fields("seconds", seconds());
    fields("threads", static_cast<std::int64_t>(at::get_num_threads()));
    write_state(path(number_), content);
  }
  // The heap of a long run gets holes and grows, though no more of it is in use.
  give_back_freed_memory();
  last_ = path(number_);
  ++number_;
  steps_ = 0;
  last_time_ = Clock::now();
  write_takes_ = last_time_ - begin;
  stop_in_order(std::max(kPatience, std::chrono::duration_cast<std::chrono::milliseconds>(
                                        kPatienceInWrites * write_takes_)));
}

bool RunCheckpoints::is_due(SavePoint point) {
  if (folder_.empty()) {
    return false;
  }
  const auto since = Clock::now() - last_time_;
  switch (point) {
    case SavePoint::stopped:
      return true;
    case SavePoint::epoch:
      return since >= kLeastShare * write_takes_;
    case SavePoint::step:
      break;
  }
  if (interval_.steps > 0) {
    return steps_++ >= interval_.steps;
  }
  return interval_.seconds > 0.0 && since >= std::chrono::duration<double>(interval_.seconds);
}

bool RunCheckpoints::remove() {
  bool is_any = false;
  for (int i = 0; i < kFiles && !folder_.empty(); ++i) {
    is_any = remove_file(path(i)) || is_any;
  }
  last_.clear();
  return is_any;
}

}  // namespace actswap
