#include <actswap/base/activity.h>
#include <actswap/base/files.h>
#include <actswap/base/output_broker.h>
#include <actswap/base/supervise.h>

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <new>
#include <stdexcept>
#include <thread>

#include "models.h"

namespace actswap {
namespace {

struct Outcome {
  int code = 0;  ///< of exit; minus the signal where one ended it
  std::string err;
};

// A process that supervises `work`.
class Supervised {
 public:
  explicit Supervised(const std::function<int()>& work) {
    int ends[2];
    if (::pipe(ends) != 0) {
      throw std::runtime_error("no pipe");
    }
    pid_ = ::fork();
    if (pid_ == 0) {
      ::dup2(ends[1], STDERR_FILENO);
      ::close(ends[0]);
      ::close(ends[1]);
      std::_Exit(supervise(work));
    }
    if (pid_ < 0) {
      throw std::runtime_error("no process");  // and a signal to -1 would go to all there are
    }
    ::close(ends[1]);
    err_ = ends[0];
  }
  ~Supervised() { ::close(err_); }
  Supervised(const Supervised&) = delete;
  Supervised& operator=(const Supervised&) = delete;

  /// The work says on stderr that it has come so far.
  void wait_for(const std::string& text) {
    char c = 0;
    while (said_.find(text) == std::string::npos && ::read(err_, &c, 1) == 1) {
      said_ += c;
    }
  }
  void send(int signal) const { ::kill(pid_, signal); }
  void stop_reading() {
    ::close(err_);
    err_ = -1;
  }

  Outcome finish() {
    char c = 0;
    while (::read(err_, &c, 1) == 1) {
      said_ += c;
    }
    int status = 0;
    ::waitpid(pid_, &status, 0);
    return {WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status), said_};
  }

 private:
  pid_t pid_ = -1;
  int err_ = -1;
  std::string said_;
};

Outcome outcome_of(const std::function<int()>& work) {
  return Supervised(work).finish();
}

[[noreturn]] void wait_for_ever() {
  std::fputs("waiting\n", stderr);
  for (;;) {
    std::this_thread::sleep_for(std::chrono::seconds(100));
  }
}

// A sanitizer handles some itself.
int die_of(int signal) {
  if (signal != SIGKILL) {
    std::signal(signal, SIG_DFL);
  }
  return std::raise(signal);
}

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

// What nohup or a shell's background ignores would stay ignored.
class Supervise : public testing::Test {
 protected:
  void SetUp() override {
    for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
      std::signal(signal, SIG_DFL);
    }
  }
};

TEST_F(Supervise, PassesOnTheExitCode) {
  EXPECT_EQ(outcome_of([] { return 0; }).code, 0);
  EXPECT_EQ(outcome_of([] { return 5; }).code, 5);
}

TEST_F(Supervise, AFaultWhileAFileIsReadIsAnErrorOfTheFile) {
  for (const int signal : {SIGSEGV, SIGABRT, SIGBUS, SIGFPE, SIGILL}) {
    const auto outcome = outcome_of([signal] {
      const Reading reading("bad.pt");
      return die_of(signal);
    });
    EXPECT_EQ(outcome.code, 3);
    EXPECT_TRUE(has(outcome.err, "error: The process died while reading 'bad.pt' ("))
        << outcome.err;
  }
}

TEST_F(Supervise, AFaultAfterAFileWasReadNamesTheFirst) {
  const auto outcome = outcome_of([] {
    {
      const Reading reading("model.pt");
    }
    {
      const Reading reading("data.pt");
    }
    return die_of(SIGSEGV);
  });
  EXPECT_EQ(outcome.code, 3);
  EXPECT_TRUE(has(outcome.err, "while working on 'model.pt'")) << outcome.err;
}

TEST_F(Supervise, AFaultWithoutAFileStaysOne) {
  EXPECT_EQ(outcome_of([] { return die_of(SIGSEGV); }).code, -SIGSEGV);
}

TEST_F(Supervise, SaysWhatNobodyCaught) {
  const auto outcome = outcome_of([] {
    const Reading reading("bad.pt");
    std::thread([] { throw std::runtime_error("the disk is on fire"); }).join();
    return 0;
  });
  EXPECT_EQ(outcome.code, 3);
  EXPECT_TRUE(has(outcome.err, ": the disk is on fire): the file is damaged")) << outcome.err;
  EXPECT_FALSE(has(outcome.err, "terminate called")) << outcome.err;
}

TEST_F(Supervise, SaysThatMemoryRanOut) {
  const auto outcome = outcome_of([] {
    const Reading reading("big.pt");
    std::thread([] { throw std::bad_alloc(); }).join();
    return 0;
  });
  EXPECT_EQ(outcome.code, 3);
  EXPECT_TRUE(has(outcome.err, "error: Out of memory while reading 'big.pt'")) << outcome.err;
  const auto killed = outcome_of([] {
    const Reading reading("big.pt");
    return die_of(SIGKILL);
  });
  EXPECT_EQ(killed.code, 137);
  EXPECT_TRUE(has(killed.err, "while reading 'big.pt', as the system does")) << killed.err;
}

// SIGPIPE: of a log that nobody reads any more.
TEST_F(Supervise, RemovesTheScratchFoldersOfWhatDied) {
  const ScratchFolder scratch;
  for (const int signal : {SIGPIPE, SIGUSR1, SIGKILL, SIGSEGV}) {
    const auto outcome = outcome_of([&] {
      declare_outputs({.files = {scratch / "out.pt"}});
      return die_of(signal);
    });
    EXPECT_NE(outcome.code, 0);
    EXPECT_TRUE(scratch.list().empty()) << signal;
  }
}

TEST_F(Supervise, EndsInTheSameWayWhereNobodyReadsWhatItSays) {
  const ScratchFolder scratch;
  Supervised process([&]() -> int {
    declare_outputs({.files = {scratch / "out.pt"}});
    wait_for_ever();
  });
  process.wait_for("waiting");
  EXPECT_FALSE(scratch.list().empty());
  process.stop_reading();
  process.send(SIGTERM);
  EXPECT_EQ(process.finish().code, 128 + SIGTERM);
  EXPECT_TRUE(scratch.list().empty());
}

TEST_F(Supervise, ASignalEndsWhatHasNothingToSave) {
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    Supervised process([]() -> int { wait_for_ever(); });
    process.wait_for("waiting");
    process.send(signal);
    EXPECT_EQ(process.finish().code, 128 + signal);
  }
}

// As nohup and a shell's background do.
TEST_F(Supervise, ASignalThatWasIgnoredStaysSo) {
  std::signal(SIGINT, SIG_IGN);
  Supervised process([]() -> int { wait_for_ever(); });
  std::signal(SIGINT, SIG_DFL);
  process.wait_for("waiting");
  process.send(SIGINT);
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  process.send(SIGTERM);
  EXPECT_EQ(process.finish().code, 128 + SIGTERM);
}

int end_in_order() {
  std::fputs("waiting\n", stderr);
  while (stop_signal() == 0) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return 40 + stop_signal();
}

TEST_F(Supervise, ASignalLetsTheProcessEndInOrder) {
  Supervised process([] {
    stop_in_order(std::chrono::seconds(100));
    return end_in_order();
  });
  process.wait_for("waiting");
  process.send(SIGTERM);
  EXPECT_EQ(process.finish().code, 40 + SIGTERM);
}

TEST_F(Supervise, PatienceHasAnEnd) {
  Supervised process([]() -> int {
    stop_in_order(std::chrono::milliseconds(50));
    wait_for_ever();
  });
  process.wait_for("waiting");
  process.send(SIGINT);
  EXPECT_EQ(process.finish().code, 128 + SIGINT);
}

TEST_F(Supervise, ASecondSignalEndsTheProcess) {
  Supervised process([]() -> int {
    stop_in_order(std::chrono::seconds(1000));
    wait_for_ever();
  });
  process.wait_for("waiting");
  process.send(SIGINT);
  std::this_thread::sleep_for(std::chrono::milliseconds(100));  // two at once are one
  process.send(SIGINT);
  EXPECT_EQ(process.finish().code, 128 + SIGINT);
}

TEST_F(Supervise, WhatStopsAtOnceIsNotAsked) {
  Supervised process([]() -> int {
    stop_in_order(std::chrono::seconds(1000));
    const StopsAtOnce now;
    wait_for_ever();
  });
  process.wait_for("waiting");
  process.send(SIGINT);
  EXPECT_EQ(process.finish().code, 128 + SIGINT);
}

TEST_F(Supervise, RemovesTemporaryFoldersOfWhatDied) {
  const ScratchFolder scratch;
  for (const int signal : {SIGKILL, SIGSEGV, SIGINT}) {
    Supervised process([&] {
      write_atomically(scratch / "out.pt", [&](const std::string& temporary) {
        std::ofstream(temporary) << "half of it";
        if (signal == SIGINT) {
          wait_for_ever();
        }
        die_of(signal);
      });
      return 0;
    });
    if (signal == SIGINT) {
      process.wait_for("waiting");
      EXPECT_EQ(scratch.list().size(), 1U);
      process.send(SIGINT);
    }
    EXPECT_NE(process.finish().code, 0);
    EXPECT_EQ(scratch.list(), std::vector<std::string>{});
  }
}

TEST_F(Supervise, TheWorkDiesWithItsSupervisor) {
  Supervised process([]() -> int { wait_for_ever(); });
  process.wait_for("waiting");
  process.send(SIGKILL);
  EXPECT_EQ(process.finish().code, -SIGKILL);  // comes to an end: nobody holds stderr any more
}

}  // namespace
}  // namespace actswap
