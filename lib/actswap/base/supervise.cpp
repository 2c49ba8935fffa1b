#include <actswap/base/error.h>
#include <actswap/base/out_of_memory.h>
#include <actswap/base/output_broker.h>
#include <actswap/base/process_state.h>
#include <actswap/base/supervise.h>

#include <poll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <filesystem>
#include <new>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace actswap {

namespace {

using Clock = std::chrono::steady_clock;

constexpr int kStopSignals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
constexpr int kFaults[] = {SIGSEGV, SIGABRT, SIGBUS, SIGFPE, SIGILL};

bool is_among(const int (&signals)[std::size(kFaults)], int signal) {
  return std::find(std::begin(signals), std::end(signals), signal) != std::end(signals);
}

bool is_ignored(int signal) {
  struct sigaction action = {};
  return ::sigaction(signal, nullptr, &action) == 0 && action.sa_handler == SIG_IGN;
}

// The stop signals that are not ignored.
sigset_t heeded_signals() {
  sigset_t signals;
  ::sigemptyset(&signals);
  for (const int signal : kStopSignals) {
    if (!is_ignored(signal)) {
      ::sigaddset(&signals, signal);
    }
  }
  return signals;
}

// Notes the exception that ends the process: on a thread of OpenMP nobody can catch it.
[[noreturn]] void note_last_words() {
  auto& state = process_state();
  try {
    if (const auto exception = std::current_exception()) {
      std::rethrow_exception(exception);
    }
  } catch (const std::bad_alloc&) {
    state.out_of_memory = true;
  } catch (const std::exception& error) {
    state.out_of_memory = is_out_of_memory(error.what());
    const std::string_view what = error.what();
    set_text(state.last_words, std::string(what.substr(0, what.find('\n'))).c_str());
  } catch (...) {
    set_text(state.last_words, "an exception of no known kind");
  }
  std::abort();
}

// Prints a line of its own, even over a progress bar. The other process's last words may come from
// a model.
void say(std::string text) {
  std::replace_if(
      text.begin(), text.end(),
      [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }, '?');
  const char* begin = ::isatty(STDERR_FILENO) == 1 ? "\r\033[K" : "";
  std::fprintf(stderr, "%serror: %s\n", begin, text.c_str());
}

class Supervisor {
 public:
  /// @param broker the end of a pair of sockets at which outputs are declared and moved into place
  Supervisor(pid_t child, sigset_t signals, int broker)
      : child_(child), broker_(std::in_place, broker) {
    std::signal(SIGPIPE, SIG_IGN);  // the reader of our messages may be gone
    ::sigaddset(&signals, SIGCHLD);
    signals_ = ::signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
  }
  ~Supervisor() { ::close(signals_); }
  Supervisor(const Supervisor&) = delete;
  Supervisor& operator=(const Supervisor&) = delete;

  int wait() {
    int status = 0;
    while (::waitpid(child_, &status, WNOHANG) == 0) {
      if (const int signal = next_signal(); signal > 0 && signal != SIGCHLD) {
        stop(signal);
      }
      if (deadline_ && Clock::now() >= *deadline_) {
        kill_child();
      }
    }
    remove_folders();
    return exit_code(status);
  }

 private:
  // Answers a request meanwhile. 0 where there was no signal.
  int next_signal() {
    constexpr auto kLongest = std::chrono::milliseconds(1000);
    auto left = kLongest;
    if (deadline_) {
      left = std::clamp(std::chrono::ceil<std::chrono::milliseconds>(*deadline_ - Clock::now()),
                        std::chrono::milliseconds(0), kLongest);
    }
    pollfd events[] = {{signals_, POLLIN, 0}, {asks_ ? broker_->descriptor() : -1, POLLIN, 0}};
    if (::poll(events, std::size(events), static_cast<int>(left.count())) <= 0) {
      return 0;
    }
    if (events[1].revents != 0) {
      asks_ = broker_->answer();
    }
    signalfd_siginfo signal = {};
    return ::read(signals_, &signal, sizeof(signal)) == sizeof(signal)
               ? static_cast<int>(signal.ssi_signo)
               : 0;
  }

  void stop(int signal) {
    auto& state = process_state();
    const bool is_second = stop_signal_ != 0;
    stop_signal_ = signal;
    state.stop_signal = signal;
    if (is_second || !state.stops_in_order) {
      kill_child();
    } else {
      deadline_ = Clock::now() + std::chrono::milliseconds(state.patience_ms);
    }
  }

  void kill_child() {
    was_killed_ = true;
    deadline_.reset();
    ::kill(child_, SIGKILL);
  }

  // The broker removes its own folders before this process, too, may die of a signal. Nobody may
  // trust the shared page any more.
  void remove_folders() {
    const bool is_sealed = broker_->is_sealed();
    broker_.reset();
    if (is_sealed) {
      return;
    }
    for (const auto& folder : process_state().folders) {
      if (folder[0] != '\0') {
        std::error_code ignored;
        std::filesystem::remove_all(folder.data(), ignored);
      }
    }
  }

  int exit_code(int status) const {
    if (WIFEXITED(status)) {
      return WEXITSTATUS(status);
    }
    const int signal = WTERMSIG(status);
    const auto& state = process_state();
    const std::string activity = state.activity.data();
    if (was_killed_) {
      say("stopped by signal " + std::to_string(stop_signal_) + " (" + ::strsignal(stop_signal_) +
          ")");
      return 128 + stop_signal_;
    }
    if (signal == SIGKILL) {
      say("the process was killed" + (activity.empty() ? "" : " while " + activity) +
          ", as the system does where memory runs out");
      return 128 + signal;
    }
    if (signal == SIGXCPU) {
      say("The process has used up its processor time" +
          (activity.empty() ? "" : " while " + activity));
      return static_cast<int>(ErrorKind::file);
    }
    if (is_among(kFaults, signal) && state.out_of_memory) {
      say("Out of memory" + (activity.empty() ? "" : " while " + activity));
      return static_cast<int>(ErrorKind::file);
    }
    if (is_among(kFaults, signal) && !activity.empty()) {
      const std::string words = state.last_words.data();
      say("The process died while " + activity + " (" + ::strsignal(signal) +
          (words.empty() ? "" : ": " + words) +
          "): the file is damaged, or LibTorch cannot handle it. Where PyTorch can, please report "
          "this");
      return static_cast<int>(ErrorKind::file);
    }
    return die_by(signal);
  }

  // So that a shell, too, sees what the child died of.
  static int die_by(int signal) {
    std::signal(signal, SIG_DFL);
    sigset_t this_one;
    ::sigemptyset(&this_one);
    ::sigaddset(&this_one, signal);
    ::sigprocmask(SIG_UNBLOCK, &this_one, nullptr);
    std::raise(signal);
    return 128 + signal;
  }

  pid_t child_;
  int signals_ = -1;
  std::optional<OutputBroker> broker_;
  bool asks_ = true;
  std::optional<Clock::time_point> deadline_ = std::nullopt;
  int stop_signal_ = 0;
  bool was_killed_ = false;
};

// The same rules where nobody supervises.
void on_stop_signal(int signal) {
  auto& state = process_state();
  if (state.stop_signal != 0 || !state.stops_in_order) {
    std::_Exit(128 + signal);
  }
  state.stop_signal = signal;
}

int work_here(const std::function<int()>& work) {
  for (const int signal : kStopSignals) {
    if (!is_ignored(signal)) {
      std::signal(signal, on_stop_signal);
    }
  }
  return work();
}

// Ctrl-C goes to both processes: the child is told by the parent alone.
void prepare_child(pid_t parent, const sigset_t& mask) {
  for (const int signal : kStopSignals) {
    std::signal(signal, SIG_IGN);
  }
  ::sigprocmask(SIG_SETMASK, &mask, nullptr);
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) {
    std::_Exit(128 + SIGKILL);  // it died before the line above
  }
  std::set_terminate(note_last_words);
}

}  // namespace

int supervise(const std::function<int()>& work) {
  // A file that grows beyond a limit is an error of the write.
  std::signal(SIGXFSZ, SIG_IGN);
  const char* setting = std::getenv("ACTSWAP_SUPERVISE");
  if (setting != nullptr && std::string_view(setting) == "0") {
    return work_here(work);
  }
  share_state();
  std::signal(SIGCHLD, SIG_DFL);  // where it is ignored nobody could wait for the child
  const sigset_t heeded = heeded_signals();
  sigset_t blocked = heeded;
  ::sigaddset(&blocked, SIGCHLD);
  sigset_t mask;
  ::sigprocmask(SIG_BLOCK, &blocked, &mask);
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
    ::sigprocmask(SIG_SETMASK, &mask, nullptr);
    return work_here(work);
  }
  const pid_t parent = ::getpid();
  const pid_t child = ::fork();
  if (child == 0) {
    ::close(ends[0]);
    prepare_child(parent, mask);
    connect_to_broker(ends[1]);
    return work();
  }
  ::close(ends[1]);
  if (child < 0) {
    ::close(ends[0]);
    ::sigprocmask(SIG_SETMASK, &mask, nullptr);
    return work_here(work);
  }
  // Apart from this, the parent has nothing to tidy up that the child does not.
  std::_Exit([&] { return Supervisor(child, heeded, ends[0]).wait(); }());
}

}  // namespace actswap
