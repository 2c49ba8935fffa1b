// Runs the command in two processes. Some damaged files make LibTorch end its process, which then
// can neither say why nor remove half-written files. So one process does the work, and another, in
// which nothing can go wrong, waits for it.
#pragma once

#include <actswap/base/export.h>

#include <functional>

namespace actswap {

/// Runs `work` in a child process and returns its exit code, in both processes: the parent returns
/// what the child returned. To be called first in main, while the process has one thread.
///
/// - SIGINT, SIGTERM, SIGHUP and SIGQUIT reach only the parent; the child ignores them. The parent
///   puts the first one into the child's stop_signal() if the child stops in order
///   (base/activity.h), and otherwise ends the child at once; a second, or the end of the child's
///   patience, ends it in any case. The exit code is then 128 + signal. A signal that was ignored
///   when the parent started stays ignored.
/// - If the child dies of a fault (SIGSEGV, SIGABRT, SIGBUS, SIGFPE, SIGILL) while it reads a
///   user's file or works on it, the parent says so on stderr and returns 3. If it works on no
///   file, or another signal ended it, the parent dies by the same signal (SIGKILL: 137).
/// - If the child has used up its processor time (RLIMIT_CPU), the parent says so and returns 3.
/// - The parent is the broker of the child's outputs (base/output_broker.h).
/// - Whatever happens to the child, the parent removes its temporary folders. Whatever happens to
///   the parent, the child dies with it.
///
/// With ACTSWAP_SUPERVISE=0 in the environment this process does the work itself, for debuggers.
ACTSWAP_API int supervise(const std::function<int()>& work);

}  // namespace actswap
