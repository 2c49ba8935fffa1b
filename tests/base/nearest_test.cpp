// What a mistyped name probably means.
#include <actswap/base/nearest.h>

#include <gtest/gtest.h>

namespace actswap {
namespace {

TEST(Nearest, IsALetterAwayOrTwoOfALongName) {
  EXPECT_EQ(nearest("rellu", {"relu", "silu"}), "relu");
  EXPECT_EQ(nearest("rleu", {"relu", "silu"}), "relu") << "neighbours that changed places";
  EXPECT_EQ(nearest("--ephocs", {"--epochs", "--batch"}), "--epochs");
  EXPECT_EQ(nearest("convret", {"convert", "collapse"}), "convert");
}

// Dashes are no letters, and a wild guess helps nobody.
TEST(Nearest, IsNothingThatIsFarAway) {
  EXPECT_EQ(nearest("--train", {"--thaw", "--to"}), std::nullopt);
  EXPECT_EQ(nearest("--max-drop", {"--max-memory"}), std::nullopt);
  EXPECT_EQ(nearest("--frob", {"--crop"}), std::nullopt);
  EXPECT_EQ(nearest("x", {}), std::nullopt);
  EXPECT_EQ(did_you_mean("--frob", {"--crop"}), "");
}

}  // namespace
}  // namespace actswap
