// metrics.jsonl: what a run does, a line each, as it goes on (docs/formats.md).
#pragma once

#include <actswap/measure/accuracy.h>
#include <actswap/report/run_status.h>
#include <actswap/train/trainer.h>

#include <nlohmann/json_fwd.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

namespace actswap {

/// Each call adds a line. They reach the file every few seconds, and with flush().
class RunLog {
 public:
  /// @param folder of the run; empty: nothing is written
  explicit RunLog(const std::string& folder);

  void status(RunStatus status, const std::string& reason = "");
  /// A phase begins; the lines after this belong to it.
  /// @param seed if there are several
  void phase(const std::string& name, std::optional<std::uint64_t> seed = {});
  void message(const std::string& text);
  /// Logs some 500 steps of a training, not all.
  void step(const Progress& progress);
  void check(const CheckRecord& check);
  void epoch(const EpochRecord& epoch);
  void retry(const Retry& retry);
  /// Of a phase that counts: "sites" or "passes".
  void count(const std::string& what, std::size_t done, std::size_t count);
  /// @param model "original", "swap_alone", "calibrated", "retargeted", "control"
  void metric(const std::string& model, const Evaluation& evaluation);

  /// @throws FileError
  void flush();
  /// All lines so far.
  const std::string& text() const { return text_; }
  /// A resumed run goes on after these.
  void take_up(const std::string& text);

 private:
  void add(const std::string& event, const nlohmann::ordered_json& fields);

  std::string path_;
  std::string phase_;
  std::optional<std::uint64_t> seed_;
  std::string text_;
  bool is_flushed_ = true;
  std::chrono::steady_clock::time_point last_flush_ = {};
  std::chrono::steady_clock::duration flush_takes_ = {};
};

}  // namespace actswap
