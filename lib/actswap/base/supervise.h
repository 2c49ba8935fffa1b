// The command in two processes. LibTorch ends the process that it is in on some damaged files, and
// a process that is ended cannot say why, nor remove what it has half written. So one process does
// the work, and another, in which nothing can go wrong, waits for it.
#pragma once

#include <actswap/base/export.h>

#include <functional>

namespace actswap {

/// Runs `work` in a child process and returns its exit code, in both processes: the parent returns
/// what the child returned. To be called first in main, while the process has one thread.
///
/// - SIGINT, SIGTERM, SIGHUP and SIGQUIT come to the parent alone; the child ignores them. The
/// first
///   is put into the child's stop_signal() where the child stops in order (base/activity.h), and
///   ends it at once where not; a second, or the end of the child's patience, ends it in any case.
///   The exit code is then 128 + signal. A signal that was ignored when the parent was started
///   stays ignored.
/// - Where the child dies of a fault (SIGSEGV, SIGABRT, SIGBUS, SIGFPE, SIGILL) while it reads a
///   user's file or works on it, the parent says so on stderr and returns 3. Where no file is in
///   work, or another signal ended the child, the parent dies by the same signal (of SIGKILL: 137).
/// - Where the child has used up its processor time (RLIMIT_CPU), the parent says so and returns 3.
/// - The parent is the broker of the child's outputs (base/output_broker.h).
/// - Whatever happens to the child, the parent removes its temporary folders. Whatever happens to
///   the parent, the child dies with it.
///
/// Where the environment has ACTSWAP_SUPERVISE=0 the work is done in this process, for debuggers.
ACTSWAP_API int supervise(const std::function<int()>& work);

}  // namespace actswap
