#include <actswap/base/memory.h>

#include <gtest/gtest.h>

#include <cstddef>
#include <fstream>
#include <vector>

namespace actswap {
namespace {

constexpr std::size_t kPage = 4096;
constexpr std::size_t kSize = std::size_t{256} << 20;

// Pages of this process that are in memory.
std::size_t resident_pages() {
  std::ifstream file("/proc/self/statm");
  std::size_t all = 0;
  std::size_t resident = 0;
  file >> all >> resident;
  return resident;
}

void take_and_free() {
  std::vector<char> block(kSize, 1);
}

TEST(KeepFreedMemory, StaysInTheProcess) {
  take_and_free();
  const auto before = resident_pages();
  ASSERT_GT(before, 0U);
  ASSERT_TRUE(keep_freed_memory());
  take_and_free();
  const auto kept = resident_pages();
  EXPECT_GE(kept, before + kSize / kPage / 2) << "freed memory went back to the system";
  take_and_free();
  EXPECT_LE(resident_pages(), kept + kSize / kPage / 2) << "what was kept is not used again";
  give_back_freed_memory();
  EXPECT_LE(resident_pages(), before + kSize / kPage / 2) << "what was kept did not go back";
}

TEST(ResidentMemory, IsWhatTheSystemSays) {
  const std::vector<char> block(kSize, 1);
  const auto pages = static_cast<double>(resident_pages());
  EXPECT_NEAR(static_cast<double>(resident_memory()) / kPage, pages, 0.1 * pages);
}

}  // namespace
}  // namespace actswap
