#include <actswap/base/error.h>
#include <actswap/base/files.h>

#include <gtest/gtest.h>

#include <stdexcept>

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

TEST(Error, KnowsItsExitCode) {
  EXPECT_EQ(static_cast<int>(UsageError("").kind()), 2);
  EXPECT_EQ(static_cast<int>(FileError("").kind()), 3);
  EXPECT_EQ(static_cast<int>(VerificationError("").kind()), 4);
  EXPECT_EQ(static_cast<int>(Error(ErrorKind::accuracy, "").kind()), 5);
}

}  // namespace
}  // namespace actswap
