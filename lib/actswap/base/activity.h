// Notes what this process is doing, so that its supervisor can say so when it dies: in a page of
// memory that the command shares with its supervisor (base/supervise.h). In a program that uses the
// library without a supervisor the same functions note the same things in its own memory.
#pragma once

#include <actswap/base/export.h>

#include <chrono>
#include <string>

namespace actswap {

/// Notes, while it lives, that the process reads the user's file `path`, and afterwards that it
/// works on the first file read.
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

/// From now on the process checks stop_signal() and ends in order by itself. Before this, a signal
/// that asks it to stop ends it at once.
/// @param patience how long the supervisor waits for that before it ends the process
ACTSWAP_API void stop_in_order(std::chrono::milliseconds patience);

/// While one lives, a signal that asks the process to stop ends it at once again, because the
/// process has nothing to save.
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

/// While one lives, the supervisor removes this folder if the process dies.
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
