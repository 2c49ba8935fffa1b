// Runs the command as a process of its own, without a shell: its exit code, its two streams apart,
// signals sent to it, and a terminal for its stderr where a test asks for one.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <pty.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <stdexcept>
#include <string>
#include <vector>

namespace tool_test {

struct Outcome {
  int code = 0;  ///< of exit; minus the signal where one killed the process
  std::string out;
  std::string err;
  long peak_kilobytes = 0;  ///< most that was resident, of it and of the processes that it started
};

struct ProcessOptions {
  std::string folder = ".";                ///< the working folder
  unsigned short columns = 0;              ///< above 0: stderr is a terminal of this width
  std::string stdout_to;                   ///< a file for stdout; empty: it is captured
  bool closed_pipe = false;                ///< stdout is a pipe that nobody reads from any more
  std::vector<std::string> settings = {};  ///< of the environment, NAME=VALUE
  double seconds = 60.0;  ///< after so many the process is killed and the test fails
};

class Process {
 public:
  Process(const std::vector<std::string>& arguments, const ProcessOptions& options)
      : deadline_(Clock::now() + std::chrono::duration_cast<Clock::duration>(
                                     std::chrono::duration<double>(options.seconds))) {
    Ends out = options.stdout_to.empty() ? make_pipe() : open_file(options.stdout_to);
    if (options.closed_pipe) {
      ::close(out.ours);
      out.ours = -1;
    }
    const Ends err = options.columns > 0 ? make_terminal(options.columns) : make_pipe();
    out_ = {out.ours, &outcome_.out};
    err_ = {err.ours, &outcome_.err};
    start(arguments, options, out.childs, err.childs);
    ::close(out.childs);
    ::close(err.childs);
  }
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;
  ~Process() {
    if (!reaped_) {
      ::kill(pid_, SIGKILL);
      reap();
    }
    close_stream(out_);
    close_stream(err_);
  }

  /// Waits until stderr holds `text`; false where the process ends, or its time is up, before.
  bool wait_for(const std::string& text) {
    while (outcome_.err.find(text) == std::string::npos) {
      if (!read_some()) {
        return false;
      }
    }
    return true;
  }

  void send(int signal) const { ::kill(pid_, signal); }

  Outcome finish() {
    while (read_some()) {
    }
    if (timed_out_) {
      ADD_FAILURE() << "the process did not end in time; its stderr:\n" << outcome_.err;
      ::kill(pid_, SIGKILL);
    }
    outcome_.code = reap();
    leave_out_confinement();
    return outcome_;
  }

 private:
  // Where the kernel lacks something every run says so; confine_test.cpp looks at that.
  void leave_out_confinement() {
    constexpr char kBegin[] = "warning: not confined: ";
    for (auto at = outcome_.err.find(kBegin); at != std::string::npos;
         at = outcome_.err.find(kBegin)) {
      outcome_.err.erase(at, outcome_.err.find('\n', at) + 1 - at);
    }
  }

  using Clock = std::chrono::steady_clock;
  struct Ends {
    int ours;
    int childs;
  };
  struct Stream {
    int descriptor = -1;
    std::string* text = nullptr;
  };

  static int checked(int result, const char* what) {
    if (result < 0) {
      throw std::runtime_error(std::string(what) + ": " + std::strerror(errno));
    }
    return result;
  }

  static Ends make_pipe() {
    int ends[2];
    checked(::pipe2(ends, O_CLOEXEC), "pipe");
    return {ends[0], ends[1]};
  }

  static Ends open_file(const std::string& path) {
    return {-1, checked(::open(path.c_str(), O_WRONLY | O_CLOEXEC), "open")};
  }

  static Ends make_terminal(unsigned short columns) {
    int ours = -1;
    int childs = -1;
    const winsize size{24, columns, 0, 0};
    checked(::openpty(&ours, &childs, nullptr, nullptr, &size), "openpty");
    ::fcntl(ours, F_SETFD, FD_CLOEXEC);
    ::fcntl(childs, F_SETFD, FD_CLOEXEC);
    return {ours, childs};
  }

  void start(const std::vector<std::string>& arguments, const ProcessOptions& options, int out,
             int err) {
    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawn_file_actions_addchdir_np(&actions, options.folder.c_str());
    ::posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    ::posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
    ::posix_spawn_file_actions_adddup2(&actions, err, STDERR_FILENO);
    // A test that runs in the background of a shell inherits an ignored SIGINT.
    posix_spawnattr_t attributes;
    ::posix_spawnattr_init(&attributes);
    sigset_t defaults;
    ::sigemptyset(&defaults);
    for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE}) {
      ::sigaddset(&defaults, signal);
    }
    ::posix_spawnattr_setsigdefault(&attributes, &defaults);
    ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF);

    // One thread: the models are tiny, and sums come out the same in every run.
    auto settings = options.settings;
    settings.emplace_back("OMP_NUM_THREADS=1");
    for (char** entry = ::environ; *entry != nullptr; ++entry) {  // the first of a name counts
      settings.emplace_back(*entry);
    }
    auto words = arguments;
    words.insert(words.begin(), ACTSWAP_COMMAND);
#ifdef __clang__  // g++ 12 does not know __has_feature
#if __has_feature(thread_sanitizer)
    words.insert(words.end(), {"--confine", "off"});  // the sanitizer has a thread of its own
#endif
#endif
    const int error = ::posix_spawn(&pid_, ACTSWAP_COMMAND, &actions, &attributes,
                                    pointers(words).data(), pointers(settings).data());
    ::posix_spawn_file_actions_destroy(&actions);
    ::posix_spawnattr_destroy(&attributes);
    if (error != 0) {
      throw std::runtime_error(std::string("cannot run " ACTSWAP_COMMAND ": ") +
                               std::strerror(error));
    }
  }

  static std::vector<char*> pointers(std::vector<std::string>& texts) {
    std::vector<char*> result;
    for (auto& text : texts) {
      result.push_back(text.data());
    }
    result.push_back(nullptr);
    return result;
  }

  // Waits for more output; false where there will be none, or the time is up.
  bool read_some() {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline_ - Clock::now()).count();
    if (left <= 0) {
      timed_out_ = true;
      return false;
    }
    if (out_.descriptor < 0 && err_.descriptor < 0) {
      return false;
    }
    pollfd waiting[2] = {{out_.descriptor, POLLIN, 0}, {err_.descriptor, POLLIN, 0}};
    ::poll(waiting, 2, static_cast<int>(left));
    if (waiting[0].revents != 0) {
      read_from(out_);
    }
    if (waiting[1].revents != 0) {
      read_from(err_);
    }
    return true;
  }

  static void read_from(Stream& stream) {
    char buffer[4096];
    const auto count = ::read(stream.descriptor, buffer, sizeof buffer);
    if (count > 0) {
      stream.text->append(buffer, static_cast<std::size_t>(count));
    } else if (count == 0 || errno != EINTR) {  // a terminal whose other end is closed gives EIO
      close_stream(stream);
    }
  }

  static void close_stream(Stream& stream) {
    if (stream.descriptor >= 0) {
      ::close(stream.descriptor);
      stream.descriptor = -1;
    }
  }

  int reap() {
    int status = 0;
    rusage usage = {};
    while (::wait4(pid_, &status, 0, &usage) < 0 && errno == EINTR) {
    }
    reaped_ = true;
    outcome_.peak_kilobytes = usage.ru_maxrss;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  }

  Clock::time_point deadline_;
  Outcome outcome_;
  Stream out_;
  Stream err_;
  pid_t pid_ = -1;
  bool reaped_ = false;
  bool timed_out_ = false;
};

inline Outcome run(const std::vector<std::string>& arguments, const ProcessOptions& options = {}) {
  return Process(arguments, options).finish();
}

}  // namespace tool_test
