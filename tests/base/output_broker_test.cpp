// Outputs by way of a supervisor: what was declared appears, and nothing else.
#include <actswap/base/error.h>
#include <actswap/base/files.h>
#include <actswap/base/output_broker.h>

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <thread>

#include "forked.h"
#include "models.h"

namespace actswap {
namespace {

namespace fs = std::filesystem;

std::string written(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

// What a process that has a broker returns. The broker answers in this one.
int brokered(const std::function<int(int socket)>& work) {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends) != 0) {
    throw std::runtime_error("no pair of sockets");
  }
  OutputBroker broker(ends[0]);
  std::thread answering([&] {
    while (broker.answer()) {
    }
  });
  const int code = test::exit_code_of([&] {
    connect_to_broker(ends[1]);
    return work(ends[1]);
  });
  ::close(ends[1]);
  answering.join();
  return code;
}

// The message of the FileError, to stderr; 3.
int failing(const std::function<void()>& work) {
  try {
    work();
  } catch (const FileError&) {
    return 3;
  }
  return 0;
}

TEST(OutputBroker, PutsWhatWasDeclaredInItsPlace) {
  const ScratchFolder scratch;
  write_text_atomically(scratch / "old.pt", "old");
  ::chmod((scratch / "old.pt").c_str(), 0640);
  EXPECT_EQ(brokered([&](int) {
              const auto folders =
                  declare_outputs({.files = {scratch / "old.pt", scratch / "new.pt"},
                                   .folders = {scratch / "run/one/"}});
              if (folders.size() != 3) {
                return 1;
              }
              write_text_atomically(scratch / "old.pt", "a");
              write_text_atomically(scratch / "new.pt", "b");
              write_text_atomically(scratch / "run/one/run.json", "{}");
              write_text_atomically(scratch / "run/one/run.json", "{1}");
              return 0;
            }),
            0);
  EXPECT_EQ(written(scratch / "old.pt"), "a");
  EXPECT_EQ(fs::status(scratch / "old.pt").permissions(), fs::perms(0640));
  EXPECT_EQ(written(scratch / "new.pt"), "b");
  EXPECT_EQ(written(scratch / "run/one/run.json"), "{1}");
  EXPECT_EQ(std::distance(fs::directory_iterator(scratch / ""), {}), 3)
      << "the scratch folder is gone";
}

TEST(OutputBroker, WritesNothingElse) {
  const ScratchFolder scratch;
  const auto refused = [&](const std::string& path) {
    return brokered([&](int) {
      declare_outputs({.files = {scratch / "out.pt"}, .folders = {scratch / "run"}});
      return failing([&] { write_text_atomically(path, "text"); });
    });
  };
  EXPECT_EQ(refused(scratch / "out.pt"), 0);
  EXPECT_EQ(refused(scratch / "other.pt"), 3);
  EXPECT_EQ(refused(scratch / "run/deeper/run.json"), 3);
  EXPECT_EQ(refused(scratch / "run/../other.pt"), 3);
  EXPECT_FALSE(fs::exists(scratch / "other.pt"));
}

TEST(OutputBroker, RemovesWhatWasDeclared) {
  const ScratchFolder scratch;
  write_text_atomically(scratch / "run", "a file");
  ::mkdir((scratch / "folder").c_str(), 0700);
  write_text_atomically(scratch / "folder/checkpoint", "old");
  EXPECT_EQ(brokered([&](int) {
              declare_outputs({.folders = {scratch / "folder"}});
              const bool is_removed = remove_file(scratch / "folder/checkpoint");
              const bool is_there = remove_file(scratch / "folder/none");
              return is_removed && !is_there ? failing([&] { remove_file(scratch / "run"); }) : 1;
            }),
            3);
  EXPECT_FALSE(fs::exists(scratch / "folder/checkpoint"));
  EXPECT_TRUE(fs::exists(scratch / "run"));
}

TEST(OutputBroker, SaysWhatCannotBeWritten) {
  const ScratchFolder scratch;
  EXPECT_EQ(brokered([&](int) {
              return failing([&] { declare_outputs({.files = {scratch / "missing/out.pt"}}); });
            }),
            3);
  EXPECT_EQ(
      brokered([&](int) { return failing([&] { declare_outputs({.folders = {"/proc/run"}}); }); }),
      3);
}

// What another process, which a model has taken over, may ask for.
TEST(OutputBroker, RefusesWhatAConfinedProcessCannotMean) {
  const ScratchFolder scratch;
  const auto out = scratch / "out.pt";
  const auto victim = scratch / "victim";
  const auto answered = [&](const std::function<std::string(const std::string& folder)>& request) {
    std::ofstream(victim) << "safe";
    const int code = brokered([&](int socket) {
      const auto folder = declare_outputs({.files = {out}}).front();
      const auto text = request(folder);
      char answer[4096] = {};
      if (::write(socket, text.data(), text.size()) < 0 ||
          ::read(socket, answer, sizeof(answer)) <= 0) {
        return 1;
      }
      return std::string(answer) == "failed" ? 3 : 0;
    });
    EXPECT_EQ(written(victim), "safe");
    return code;
  };
  const auto commit = [](const std::string& to, const std::string& name) {
    return "commit" + std::string(1, '\0') + to + std::string(1, '\0') + name +
           std::string(1, '\0');
  };
  EXPECT_EQ(answered([&](const std::string& folder) {
              std::ofstream(folder + "/a") << "text";
              return commit(out, "a");
            }),
            0);
  EXPECT_EQ(answered([&](const std::string& folder) {
              std::ofstream(folder + "/a") << "text";
              return commit(victim, "a");
            }),
            3);
  EXPECT_EQ(answered([&](const std::string&) { return commit(out, "../victim"); }), 3);
  EXPECT_EQ(answered([&](const std::string& folder) {
              fs::create_symlink(victim, folder + "/a");
              return commit(out, "a");
            }),
            3);
  EXPECT_EQ(answered([&](const std::string& folder) {
              fs::create_hard_link(victim, folder + "/a");
              return commit(out, "a");
            }),
            3);
  EXPECT_EQ(answered([&](const std::string&) {
              return "declare" + std::string(1, '\0') + victim + std::string(1, '\0');
            }),
            3);
  EXPECT_EQ(answered([&](const std::string&) { return std::string("\0\0", 2); }), 3);
}

}  // namespace
}  // namespace actswap
