// What this process is doing, for whoever has to say so when it dies: a page of memory that the
// command shares with the process that supervises it (base/supervise.h). In a program that uses the
// library without a supervisor the same functions note the same things in memory of its own.
#pragma once

#include <actswap/base/export.h>

#include <chrono>
#include <string>

namespace actswap {

/// From its construction to its end the process reads the user's file `path`. Afterwards it works
/// on the first file that was read.
class ACTSWAP_API Reading {
 public:
  explicit Reading(const std::string& path);
  ~Reading();
  Reading(const Reading&) = delete;
  Reading& operator=(const Reading&) = delete;

 private:
  std::string before_;
};

/// "reading 'a.pt'" or "working on 'a.pt'"; empty before the first file.
ACTSWAP_API std::string current_activity();

/// From now on the process looks at stop_signal() and ends in order by itself. Before, a signal
/// that asks it to stop ends it at once.
/// @param patience how long the supervisor waits for that end before it ends the process
ACTSWAP_API void stop_in_order(std::chrono::milliseconds patience);

/// While one lives, a signal that asks the process to stop ends it at once again: there is nothing
/// that the process would save.
class ACTSWAP_API StopsAtOnce {
 public:
  StopsAtOnce();
  ~StopsAtOnce();
  StopsAtOnce(const StopsAtOnce&) = delete;
  StopsAtOnce& operator=(const StopsAtOnce&) = delete;

 private:
  bool before_;
};

/// The signal that asked the process to stop, or 0.
ACTSWAP_API int stop_signal();

/// While one lives, the supervisor removes this folder where the process dies.
class ACTSWAP_API TemporaryFolderNote {
 public:
  explicit TemporaryFolderNote(const std::string& folder);
  ~TemporaryFolderNote();
  TemporaryFolderNote(const TemporaryFolderNote&) = delete;
  TemporaryFolderNote& operator=(const TemporaryFolderNote&) = delete;

 private:
  int slot_;
};

}  // namespace actswap
