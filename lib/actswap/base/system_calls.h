// Which system calls this process may still make: seccomp, by libseccomp where the build has it.
#pragma once

namespace actswap {

/// Whether forbid_system_calls does anything: this build has libseccomp, and this kernel filters.
bool can_forbid_system_calls();

/// From now on this thread, and those that it starts, can start no process, reach no other one,
/// open no socket unless `network`, change no file's owner, mode or times, and use no part of the
/// kernel that a calculation does not need. Such a call fails with EPERM.
/// @throws std::system_error where the kernel refuses the filter
void forbid_system_calls(bool network);

/// From now on no thread of this process opens a socket, connects one or accepts a connection.
/// @throws std::system_error where the kernel refuses the filter
void forbid_sockets();

}  // namespace actswap
