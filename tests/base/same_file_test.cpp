#include <actswap/base/error.h>
#include <actswap/base/same_file.h>

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "models.h"

namespace actswap {
namespace {

TEST(SameFile, ByWhateverPath) {
  const ScratchFolder scratch;
  const auto file = scratch / "net.pt";
  std::ofstream(file) << "a";
  std::ofstream(scratch / "other.pt") << "a";
  std::filesystem::create_symlink("net.pt", scratch / "link.pt");
  std::filesystem::create_hard_link(file, scratch / "hard.pt");
  std::filesystem::create_symlink("loop.pt", scratch / "loop.pt");
  for (const char* name : {"net.pt", "./net.pt", "link.pt", "hard.pt"}) {
    EXPECT_THROW(check_not_overwritten(scratch / name, file), UsageError) << name;
  }
  for (const char* name : {"other.pt", "new.pt", "loop.pt", ""}) {
    EXPECT_NO_THROW(check_not_overwritten(scratch / name, file)) << name;
  }
  EXPECT_NO_THROW(check_not_overwritten(scratch / "new.pt", scratch / "missing.pt"));
  EXPECT_NO_THROW(check_not_overwritten(file, ""));
}

}  // namespace
}  // namespace actswap
