// What a confined process can still do, tried in processes of their own.
#include <actswap/base/confine.h>
#include <actswap/base/error.h>

#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <utime.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <thread>

#include "forked.h"
#include "models.h"

namespace actswap {
namespace {

using test::exit_code_of;

class Confined : public testing::Test {
 protected:
  void SetUp() override {
    if (!missing_confinement(confinement_support()).empty()) {
      GTEST_SKIP() << "this machine lacks: " << missing_confinement(confinement_support()).front();
    }
    for (const auto* folder : {"in", "out", "other"}) {
      ::mkdir((scratch / folder).c_str(), 0700);
      std::ofstream(scratch / (std::string(folder) + "/file")) << "text";
    }
  }

  // The process may read in/ and write out/.
  int confined(const std::function<int()>& work, Confinement keep = {}) const {
    keep.readable.push_back(scratch / "in");
    keep.writable.push_back(scratch / "out");
    return exit_code_of([&] {
      confine_process(keep);
      return work();
    });
  }

  int error_of_open(const std::string& name, int flags) const {
    return confined([&] { return ::open((scratch / name).c_str(), flags, 0600) < 0 ? errno : 0; });
  }

  const ScratchFolder scratch = {};
};

TEST_F(Confined, ReadsAndWritesWhereItMay) {
  EXPECT_EQ(error_of_open("in/file", O_RDONLY), 0);
  EXPECT_EQ(error_of_open("in/file", O_WRONLY), EACCES);
  EXPECT_EQ(error_of_open("in/new", O_WRONLY | O_CREAT), EACCES);
  EXPECT_EQ(error_of_open("out/file", O_RDWR), 0);
  EXPECT_EQ(error_of_open("out/new", O_WRONLY | O_CREAT), 0);
  EXPECT_EQ(error_of_open("other/file", O_RDONLY), EACCES);
  EXPECT_EQ(error_of_open("other/file", O_WRONLY | O_TRUNC), EACCES);
  EXPECT_EQ(error_of_open("other", O_RDONLY | O_DIRECTORY), EACCES);
  EXPECT_EQ(error_of_open("other/new", O_WRONLY | O_CREAT), EACCES);
}

TEST_F(Confined, ChangesNoFileByItsName) {
  struct Case {
    const char* what;
    std::function<int(const char* inside, const char* outside)> call;
  };
  const std::vector<Case> cases = {
      {"rename", [](auto* inside, auto* outside) { return ::rename(inside, outside); }},
      {"rename back", [](auto* inside, auto* outside) { return ::rename(outside, inside); }},
      {"link", [](auto* inside,
                  auto* outside) { return ::link(outside, (std::string(inside) + "2").c_str()); }},
      {"symlink",
       [](auto* inside, auto* outside) {
         return ::symlink(outside, (std::string(inside) + "2").c_str());
       }},
      {"unlink", [](auto*, auto* outside) { return ::unlink(outside); }},
      {"truncate", [](auto*, auto* outside) { return ::truncate(outside, 0); }},
      {"chmod", [](auto*, auto* outside) { return ::chmod(outside, 0777); }},
      {"chown", [](auto*, auto* outside) { return ::chown(outside, ::getuid(), ::getgid()); }},
      {"utime", [](auto*, auto* outside) { return ::utime(outside, nullptr); }},
      {"mkfifo",
       [](auto* inside, auto*) { return ::mkfifo((std::string(inside) + "2").c_str(), 0600); }},
  };
  const auto inside = scratch / "out/file";
  const auto outside = scratch / "other/file";
  for (const auto& [what, call] : cases) {
    EXPECT_EQ(confined([&] { return call(inside.c_str(), outside.c_str()) == 0 ? 0 : 1; }), 1)
        << what;
    EXPECT_EQ(exit_code_of([&] { return ::access(outside.c_str(), R_OK) == 0 ? 0 : 1; }), 0)
        << what;
  }
}

TEST_F(Confined, OpensNoSocket) {
  const auto opens = [] { return ::socket(AF_INET, SOCK_STREAM, 0) < 0 ? errno : 0; };
  EXPECT_EQ(confined(opens), EPERM);
  EXPECT_EQ(confined(opens, {.network = true}), 0);
  EXPECT_EQ(confined([] { return ::socket(AF_UNIX, SOCK_DGRAM, 0) < 0 ? errno : 0; }), EPERM);
}

TEST_F(Confined, StartsThreadsAndNoProcesses) {
  EXPECT_EQ(confined([] {
              int seen = 0;
              std::thread([&] { seen = 7; }).join();
              return seen;
            }),
            7);
  EXPECT_EQ(confined([] { return ::fork() < 0 ? errno : 0; }), EPERM);
  EXPECT_EQ(confined([] { return static_cast<int>(::syscall(SYS_vfork) < 0 ? errno : 0); }), EPERM);
  EXPECT_EQ(confined([] {
              char name[] = "/bin/true";
              char* arguments[] = {name, nullptr};
              ::execv(name, arguments);
              return errno;
            }),
            EPERM);
}

TEST_F(Confined, ReachesNoOtherProcess) {
  EXPECT_EQ(confined([] { return ::kill(::getppid(), 0) == 0 ? 0 : errno; }), EPERM);
  EXPECT_EQ(confined([] { return ::kill(-1, 0) == 0 ? 0 : errno; }), EPERM);
  EXPECT_EQ(confined([] {
              char byte = 0;
              const iovec here{&byte, 1};
              return ::process_vm_readv(::getppid(), &here, 1, &here, 1, 0) < 0 ? errno : 0;
            }),
            EPERM);
  EXPECT_EQ(
      confined([] {
        return std::ifstream("/proc/" + std::to_string(::getppid()) + "/environ").get() < 0 ? 1 : 0;
      }),
      1);
  EXPECT_EQ(confined([] { return ::raise(SIGTERM); }), 128 + SIGTERM)
      << "its own signals, which abort() needs";
}

TEST_F(Confined, StaysWithinItsLimits) {
  constexpr std::size_t kMegabyte = 1 << 20;
  EXPECT_EQ(confined([] { return std::malloc(256 * kMegabyte) == nullptr ? 1 : 0; },
                     {.memory_bytes = 128 * kMegabyte}),
            1);
  EXPECT_EQ(confined(
                [&] {
                  std::signal(SIGXFSZ, SIG_IGN);
                  const int file = ::open((scratch / "out/file").c_str(), O_WRONLY);
                  return ::ftruncate(file, 4096) == 0 ? 0 : errno;
                },
                {.file_bytes = 1000}),
            EFBIG);
  EXPECT_EQ(confined(
                [] {
                  for (;;) {
                  }
                  return 0;
                },
                {.processor_seconds = 1}),
            128 + SIGXCPU);
}

TEST_F(Confined, CannotBeWidenedAgain) {
  EXPECT_EQ(confined([&] {
              confine_process({.readable = {scratch / "other"}, .writable = {scratch / "other"}});
              return ::open((scratch / "other/file").c_str(), O_RDONLY) < 0 ? errno : 0;
            }),
            EACCES);
}

TEST(Confine, HasToComeBeforeThreads) {
  EXPECT_EQ(exit_code_of([] {
              std::thread other([] { ::pause(); });
              other.detach();
              try {
                confine_process({});
              } catch (const UsageError&) {
                return 2;
              }
              return 0;
            }),
            2);
}

TEST(Confine, SaysWhatAKernelLacks) {
  EXPECT_TRUE(missing_confinement({.landlock_abi = 7, .system_calls = true}).empty());
  const auto without_landlock = missing_confinement({.landlock_abi = 0, .system_calls = true});
  ASSERT_EQ(without_landlock.size(), 1U);
  EXPECT_EQ(without_landlock[0], "files (this kernel has no Landlock, or it is switched off)");
  EXPECT_EQ(missing_confinement({.landlock_abi = 2, .system_calls = false}).size(), 3U);
  EXPECT_EQ(missing_confinement({.landlock_abi = 4, .system_calls = false}).size(), 1U);
}

}  // namespace
}  // namespace actswap
