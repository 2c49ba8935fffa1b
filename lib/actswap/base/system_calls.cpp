#include <actswap/base/system_calls.h>

#ifdef ACTSWAP_HAS_SECCOMP

#include <sched.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <memory>
#include <string>
#include <system_error>
#include <type_traits>

namespace actswap {

namespace {

// By name, since not every kernel header knows all of them; libseccomp leaves out what it does not
// know.
constexpr const char* kForbidden[] = {
    // programs and processes; a thread is a clone as well, see below
    "execve", "execveat", "fork", "vfork", "setns", "unshare", "setsid", "setpgid",
    // other processes
    "ptrace", "process_vm_readv", "process_vm_writev", "process_madvise", "process_mrelease",
    "pidfd_open", "pidfd_getfd", "pidfd_send_signal", "kcmp", "tkill", "migrate_pages",
    "move_pages", "get_robust_list",
    // memory that processes share
    "shmget", "shmat", "shmctl", "msgget", "msgsnd", "msgrcv", "msgctl", "semget", "semop",
    "semctl", "semtimedop", "mq_open", "mq_unlink",
    // the properties of files, which Landlock does not guard
    "chmod", "fchmod", "fchmodat", "fchmodat2", "chown", "fchown", "lchown", "fchownat", "utime",
    "utimes", "utimensat", "futimesat", "setxattr", "lsetxattr", "fsetxattr", "setxattrat",
    "removexattr", "lremovexattr", "fremovexattr", "removexattrat", "file_setattr", "mknod",
    "mknodat", "name_to_handle_at", "open_by_handle_at", "chroot",
    // what circumvents a filter, or has been a way into the kernel
    "io_uring_setup", "io_uring_enter", "io_uring_register", "io_setup", "io_submit", "bpf",
    "userfaultfd", "perf_event_open", "keyctl", "add_key", "request_key", "vmsplice", "personality",
    "modify_ldt", "lookup_dcookie", "memfd_secret",
    // the machine
    "mount", "umount2", "move_mount", "open_tree", "fsopen", "fsconfig", "fsmount", "fspick",
    "mount_setattr", "pivot_root", "swapon", "swapoff", "reboot", "kexec_load", "kexec_file_load",
    "init_module", "finit_module", "delete_module", "acct", "quotactl", "quotactl_fd",
    "settimeofday", "clock_settime", "clock_adjtime", "adjtimex", "sethostname", "setdomainname",
    "syslog", "iopl", "ioperm", "vhangup", "nfsservctl", "setuid", "setgid", "setreuid", "setregid",
    "setresuid", "setresgid", "setgroups", "setfsuid", "setfsgid", "capset"};
constexpr const char* kSockets[] = {"socket", "socketpair", "connect", "bind",
                                    "listen", "accept",     "accept4"};
// Of sockets that are open.
constexpr const char* kNetwork[] = {"sendto",   "recvfrom",    "sendmmsg",  "recvmmsg",
                                    "shutdown", "getpeername", "setsockopt"};

// Throws std::system_error for libseccomp's negative error codes.
void check(int result) {
  if (result < 0) {
    throw std::system_error(-result, std::generic_category(), "seccomp");
  }
}

class Filter {
 public:
  Filter() : context_(seccomp_init(SCMP_ACT_ALLOW), seccomp_release) {
    if (!context_) {
      throw std::system_error(ENOMEM, std::generic_category(), "seccomp");
    }
    constexpr std::uint32_t kSearchTree = 2;
    check(seccomp_attr_set(context_.get(), SCMP_FLTATR_CTL_OPTIMIZE, kSearchTree));
  }

  template <class... Conditions>
  void forbid(const char* name, Conditions... conditions) {
    refuse(EPERM, name, conditions...);
  }

  template <class... Conditions>
  void refuse(int error, const char* name, Conditions... conditions) {
    const int number = seccomp_syscall_resolve_name(name);
    if (number != __NR_SCMP_ERROR) {
      check(seccomp_rule_add(context_.get(), SCMP_ACT_ERRNO(static_cast<unsigned>(error)), number,
                             sizeof...(conditions), conditions...));
    }
  }

  /// Binds threads that run already as well.
  void bind_all_threads() { check(seccomp_attr_set(context_.get(), SCMP_FLTATR_CTL_TSYNC, 1)); }

  void load() { check(seccomp_load(context_.get())); }

 private:
  std::unique_ptr<std::remove_pointer_t<scmp_filter_ctx>, decltype(&seccomp_release)> context_;
};

}  // namespace

bool can_forbid_system_calls() {
  return ::prctl(PR_GET_SECCOMP, 0, 0, 0, 0) >= 0;
}

void forbid_system_calls(bool network) {
  Filter filter;
  for (const char* name : kForbidden) {
    filter.forbid(name);
  }
  if (!network) {
    for (const char* name : kSockets) {
      filter.forbid(name);
    }
    for (const char* name : kNetwork) {
      filter.forbid(name);
    }
  }
  const auto self = static_cast<scmp_datum_t>(::getpid());
  // A thread yes, a process no. The flags of clone3 lie in memory, where no filter can look; the C
  // library then takes clone.
  filter.forbid("clone", SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, 0));
  filter.refuse(ENOSYS, "clone3");
  for (const char* name : {"kill", "tgkill", "rt_sigqueueinfo", "rt_tgsigqueueinfo"}) {
    filter.forbid(name, SCMP_A0(SCMP_CMP_NE, self));
  }
  filter.forbid("prlimit64", SCMP_A0(SCMP_CMP_NE, 0));
  // Characters that a terminal would take for typed.
  for (const auto request : {TIOCSTI, TIOCLINUX}) {
    filter.forbid("ioctl",
                  SCMP_A1(SCMP_CMP_MASKED_EQ, 0xffffffffU, static_cast<scmp_datum_t>(request)));
  }
  filter.load();
}

void forbid_sockets() {
  Filter filter;
  for (const char* name : kSockets) {
    filter.forbid(name);
  }
  filter.bind_all_threads();
  filter.load();
}

}  // namespace actswap

#else

namespace actswap {

bool can_forbid_system_calls() {
  return false;
}

void forbid_system_calls(bool /*network*/) {}

void forbid_sockets() {}

}  // namespace actswap

#endif
