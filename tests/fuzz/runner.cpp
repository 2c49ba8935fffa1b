// Runs the command many times without starting LibTorch each time: every run is a fork of this
// process. usage: fuzz_runner WARM_UP_MODEL, commands on standard input.
//
// A line is one run: its arguments, with tabs between them. For each there is a line on standard
// output: exit code (minus the signal where one ended it; "hang" after 20 s
// of the processor, or ten minutes), seconds, the peak
// memory in MB and what it said on stderr, with \n for its line ends; tabs between them.
#include "../../tools/command.h"

#include <actswap/base/supervise.h>
#include <actswap/graph/model.h>

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <sstream>
#include <string>
#include <vector>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ACTSWAP_ADDRESS_SANITIZER  // maps terabytes
#endif
#endif

namespace {

constexpr rlim_t kMostProcessor = 20;       // seconds
constexpr double kLongest = 600.0;          // seconds; the machine may be busy
constexpr rlim_t kMostMemory = 8ULL << 30;  // of addresses; what is in use is measured

struct Result {
  std::string code;
  double seconds = 0.0;
  long peak_mb = 0;
  std::string err;
};

[[noreturn]] void run_here(std::vector<std::string> words, const std::string& err) {
  ::setpgid(0, 0);
#ifndef ACTSWAP_ADDRESS_SANITIZER
  const rlimit memory{kMostMemory, kMostMemory};
  ::setrlimit(RLIMIT_AS, &memory);
#endif
  const rlimit processor{kMostProcessor, kMostProcessor + 5};
  ::setrlimit(RLIMIT_CPU, &processor);
  const rlimit core{0, 0};
  ::setrlimit(RLIMIT_CORE, &core);
  const int nothing = ::open("/dev/null", O_RDWR);
  const int file = ::open(err.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
  ::dup2(nothing, STDIN_FILENO);
  ::dup2(nothing, STDOUT_FILENO);
  ::dup2(file, STDERR_FILENO);
  words.insert(words.begin(), "actswap");
  std::vector<char*> arguments;
  for (auto& word : words) {
    arguments.push_back(word.data());
  }
  arguments.push_back(nullptr);
  std::exit(actswap::supervise([&] {
    return actswap::tool::run_command(static_cast<int>(words.size()), arguments.data());
  }));
}

// Waits for a process with SIGCHLD blocked; false after the time.
bool wait_for(pid_t pid, int& status, rusage& usage) {
  sigset_t child;
  ::sigemptyset(&child);
  ::sigaddset(&child, SIGCHLD);
  const auto begin = std::chrono::steady_clock::now();
  while (::wait4(pid, &status, WNOHANG, &usage) == 0) {
    const std::chrono::duration<double> gone = std::chrono::steady_clock::now() - begin;
    if (gone.count() > kLongest) {
      ::kill(-pid, SIGKILL);
      ::wait4(pid, &status, 0, &usage);
      return false;
    }
    const timespec moment{0, 200000000};
    ::sigtimedwait(&child, nullptr, &moment);
  }
  return true;
}

std::string content_on_one_line(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::string text;
  for (char c = 0; file.get(c);) {
    text += c == '\n' ? "\\n" : c == '\t' || c == '\r' ? " " : std::string(1, c);
  }
  return text;
}

Result run(const std::vector<std::string>& words, const std::string& err) {
  const auto begin = std::chrono::steady_clock::now();
  const pid_t pid = ::fork();
  if (pid == 0) {
    run_here(words, err);
  }
  if (pid < 0) {
    std::perror("fork");
    std::exit(1);
  }
  int status = 0;
  rusage usage{};
  Result result;
  const bool ended = wait_for(pid, status, usage);
  result.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  result.peak_mb = usage.ru_maxrss / 1024;
  const bool is_hang = !ended || (WIFSIGNALED(status) && WTERMSIG(status) == SIGXCPU);
  result.code = is_hang             ? "hang"
                : WIFEXITED(status) ? std::to_string(WEXITSTATUS(status))
                                    : std::to_string(-WTERMSIG(status));
  result.err = content_on_one_line(err);
  return result;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: fuzz_runner WARM_UP_MODEL\n");
    return 2;
  }
  sigset_t child;
  ::sigemptyset(&child);
  ::sigaddset(&child, SIGCHLD);
  ::sigprocmask(SIG_BLOCK, &child, nullptr);
  actswap::load(argv[1]);  // LibTorch registers its operators when the first model is loaded
  std::string err = "/tmp/actswap_fuzz_XXXXXX";
  const int file = ::mkstemp(err.data());
  if (file < 0) {
    std::perror("mkstemp");
    return 1;
  }
  ::close(file);
  for (std::string line; std::getline(std::cin, line);) {
    std::vector<std::string> words;
    std::istringstream stream(line);
    for (std::string word; std::getline(stream, word, '\t');) {
      words.push_back(word);
    }
    const auto result = run(words, err);
    std::printf("%s\t%.2f\t%ld\t%s\n", result.code.c_str(), result.seconds, result.peak_mb,
                result.err.c_str());
    std::fflush(stdout);
  }
  ::unlink(err.c_str());
  return 0;
}
