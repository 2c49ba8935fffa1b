#include <actswap/base/error.h>
#include <actswap/base/files.h>
#include <actswap/base/sha256.h>

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <utime.h>

#include <csignal>
#include <stdexcept>
#include <system_error>

#include "models.h"

namespace actswap {
namespace {

std::string content(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

// The digests of FIPS 180-2, appendix B.
TEST(Files, Sha256OfKnownText) {
  const ScratchFolder scratch;
  write_text_atomically(scratch / "abc", "abc");
  EXPECT_EQ(file_sha256(scratch / "abc"),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  write_text_atomically(scratch / "a", std::string(1000000, 'a'));
  EXPECT_EQ(file_sha256(scratch / "a"),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
  EXPECT_THROW(file_sha256(scratch / "missing"), FileError);
}

TEST(Files, AppearWholeOrNotAtAll) {
  const ScratchFolder scratch;
  write_text_atomically(scratch / "file", "old");
  const auto fail_halfway = [](const std::string& temporary) {
    std::ofstream(temporary) << "half of the n";
    throw std::runtime_error("the disk is on fire");
  };
  EXPECT_THROW(write_atomically(scratch / "file", fail_halfway), std::runtime_error);
  EXPECT_EQ(content(scratch / "file"), "old");
  EXPECT_EQ(scratch.list(), std::vector<std::string>{"file"});
  write_text_atomically(scratch / "file", "new");
  EXPECT_EQ(content(scratch / "file"), "new");
  EXPECT_EQ(scratch.list(), std::vector<std::string>{"file"});
}

TEST(Files, SayWhereNothingCanBeWritten) {
  const ScratchFolder scratch;
  const auto error_of = [](const std::string& path) -> std::string {
    try {
      write_text_atomically(path, "text");
    } catch (const FileError& error) {
      return error.what();
    }
    return "written";
  };
  EXPECT_NE(error_of(scratch / "missing/file").find("does not exist"), std::string::npos);
  EXPECT_NE(error_of(scratch / "").find("it is a folder"), std::string::npos);
}

std::string error_of(const std::string& path) {
  try {
    write_text_atomically(path, "text");
  } catch (const FileError& error) {
    return error.what();
  }
  return "written";
}

TEST(Files, DoNotReplaceSpecialFiles) {
  const ScratchFolder scratch;
  ASSERT_EQ(::mkfifo((scratch / "pipe").c_str(), 0600), 0);
  for (const auto& path : {std::string("/dev/null"), scratch / "pipe"}) {
    EXPECT_NE(error_of(path).find("another special file"), std::string::npos) << error_of(path);
  }
  EXPECT_FALSE(std::filesystem::is_regular_file("/dev/null"));
  EXPECT_EQ(scratch.list(), std::vector<std::string>{"pipe"});
}

TEST(Files, FollowLinks) {
  const ScratchFolder scratch;
  std::filesystem::create_directory(scratch / "folder");
  std::filesystem::create_symlink("folder/file", scratch / "link");
  for (const char* text : {"the first", "the second"}) {  // the first time it leads nowhere
    write_text_atomically(scratch / "link", text);
    EXPECT_TRUE(std::filesystem::is_symlink(scratch / "link"));
    EXPECT_EQ(content(scratch / "folder/file"), text);
  }
  std::filesystem::create_symlink("circle", scratch / "circle");
  EXPECT_NE(error_of(scratch / "circle").find("leads in a circle"), std::string::npos);
}

mode_t mode_of(const std::string& path) {
  struct stat status = {};
  ::stat(path.c_str(), &status);
  return status.st_mode & 07777;
}

TEST(Files, HandOnTheirMode) {
  const ScratchFolder scratch;
  const auto mask = ::umask(022);
  write_text_atomically(scratch / "file", "old");
  EXPECT_EQ(mode_of(scratch / "file"), 0644U);
  ::chmod((scratch / "file").c_str(), 0604);
  write_text_atomically(scratch / "file", "new");
  EXPECT_EQ(mode_of(scratch / "file"), 0604U);
  EXPECT_EQ(content(scratch / "file"), "new");
  ::chmod((scratch / "file").c_str(), 0);
  write_text_atomically(scratch / "file", "newer");
  EXPECT_EQ(mode_of(scratch / "file"), 0U);
  ::umask(mask);
}

TEST(Files, AreWrittenInAFolderThatNobodyElseEnters) {
  const ScratchFolder scratch;
  std::string first;
  write_atomically(scratch / "file", [&](const std::string& temporary) {
    first = std::filesystem::path(temporary).parent_path();
    EXPECT_EQ(mode_of(first), 0700U);
    write_atomically(scratch / "file", [&](const std::string& other) {
      EXPECT_NE(std::filesystem::path(other).parent_path(), first);
      std::ofstream(other) << "x";
    });
    std::ofstream(temporary) << "y";
  });
  EXPECT_EQ(content(scratch / "file"), "y");
}

// What a process leaves that was killed together with its supervisor. Others' folders stay.
TEST(Files, TidyAbandonedFolders) {
  const ScratchFolder scratch;
  const auto make = [&](const std::string& name, mode_t mode, long age) {
    std::filesystem::create_directory(scratch / name);
    std::ofstream(scratch / name + "/out.pt") << "half";
    ::chmod((scratch / name).c_str(), mode);
    const utimbuf times{::time(nullptr) - age, ::time(nullptr) - age};
    ::utime((scratch / name).c_str(), &times);
  };
  make("actswap.tmp.abcdef", 0700, 3600);
  make("actswap.tmp.young1", 0700, 1);
  make("actswap.tmp.public", 0755, 3600);
  make("actswap.tmp.of-somebody", 0700, 3600);
  write_text_atomically(scratch / "file", "text");
  EXPECT_EQ(scratch.list(),
            (std::vector<std::string>{"actswap.tmp.of-somebody", "actswap.tmp.public",
                                      "actswap.tmp.young1", "file"}));
}

TEST(Files, SayThatANameIsTooLong) {
  const ScratchFolder scratch;
  EXPECT_NE(error_of(scratch / std::string(300, 'x')).find("too long"), std::string::npos);
}

TEST(OutputFile, OverwritesAndGoesOnAtTheEnd) {
  const ScratchFolder scratch;
  OutputFile file(scratch / "file");
  file.write("first000", 8);
  file.overwrite(5, "123", 3);
  file.write("last", 4);
  file.close();
  EXPECT_EQ(content(scratch / "file"), "first123last");
}

// As on a full disk: the first failure is kept until the end, and said there.
TEST(OutputFile, KeepsItsFailure) {
  const ScratchFolder scratch;
  ::signal(SIGXFSZ, SIG_IGN);
  rlimit before{};
  ::getrlimit(RLIMIT_FSIZE, &before);
  const rlimit small{100000, before.rlim_max};
  ::setrlimit(RLIMIT_FSIZE, &small);
  OutputFile file(scratch / "file");
  const std::string text(30000, 'x');
  for (int i = 0; i < 10; ++i) {
    file.write(text.data(), text.size());
  }
  EXPECT_THROW(file.close(), std::system_error);
  ::setrlimit(RLIMIT_FSIZE, &before);
  OutputFile other(scratch / "other");
  const std::string big(200000, 'y');
  other.write(text.data(), text.size());
  other.write(big.data(), big.size());
  other.close();
  EXPECT_EQ(content(scratch / "other"), text + big);
  EXPECT_THROW(OutputFile(scratch / "other"), std::system_error);
}

TEST(Error, KnowsItsExitCode) {
  EXPECT_EQ(static_cast<int>(UsageError("").kind()), 2);
  EXPECT_EQ(static_cast<int>(FileError("").kind()), 3);
  EXPECT_EQ(static_cast<int>(VerificationError("").kind()), 4);
  EXPECT_EQ(static_cast<int>(Error(ErrorKind::accuracy, "").kind()), 5);
}

}  // namespace
}  // namespace actswap
