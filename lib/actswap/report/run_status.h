// How a run stands, and how it was asked for.
#pragma once

#include <actswap/base/export.h>

#include <cstdint>
#include <string>
#include <vector>

namespace actswap {

enum class RunStatus {
  running,
  interrupted,  ///< it was asked to stop, and can continue
  failed,       ///< with the reason
  done,
};
/// "running", "interrupted", "failed", "done".
ACTSWAP_API std::string to_string(RunStatus status);

/// What resuming a run needs: the command's words after its name, and the folder that relative
/// paths in them start from. Empty for a program of your own.
struct Invocation {
  std::vector<std::string> arguments = {};
  std::string directory = {};
  std::string job = {};  ///< torchrun's job that it belongs to
};

struct RunState {
  RunStatus status = RunStatus::running;
  std::string reason = {};   ///< of a run that failed or was interrupted
  std::string begun = {};    ///< UTC, "2026-11-28T19:30:00.123Z"
  std::string updated = {};  ///< when the record was written
  std::int64_t process = 0;  ///< its number while it ran, on this host:
  std::string host = {};
};

/// Whether a process of actswap with this number runs on this host: false after a run was killed.
/// Of a run on another host: true.
ACTSWAP_API bool is_alive(const RunState& state);

/// Of RunState.
std::string host_name();

/// Now, as RunState has it.
ACTSWAP_API std::string time_stamp();

}  // namespace actswap
