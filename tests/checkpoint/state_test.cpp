// A State in memory and on the disk: what goes in comes out, and damage is seen.
#include <actswap/base/error.h>
#include <actswap/base/memory.h>
#include <actswap/checkpoint/fields.h>
#include <actswap/checkpoint/state_file.h>

#include <gtest/gtest.h>
#include <torch/script.h>
#include <torch/utils.h>

#include "models.h"

#include <cmath>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <limits>

namespace actswap {
namespace {

enum class Colour { red, blue };

struct Part {
  std::string name;
  std::vector<double> numbers;

  template <typename Fields>
  void visit_fields(Fields& fields) {
    fields("name", name);
    fields("numbers", numbers);
  }
};

struct Whole {
  double number = 0.0;
  std::uint64_t seed = 0;
  bool flag = false;
  Colour colour = Colour::red;
  std::optional<std::int64_t> some = {};
  std::optional<Part> part = {};
  std::vector<Part> parts = {};
  std::map<std::string, torch::Tensor> by_name = {};
  std::vector<torch::Tensor> tensors = {};

  template <typename Fields>
  void visit_fields(Fields& fields) {
    fields("number", number);
    fields("seed", seed);
    fields("flag", flag);
    fields("colour", colour);
    fields("some", some);
    fields("part", part);
    fields("parts", parts);
    fields("by_name", by_name);
    fields("tensors", tensors);
  }
};

Whole example() {
  torch::manual_seed(1);
  return {
      .number = -std::numeric_limits<double>::infinity(),
      .seed = ~std::uint64_t{0},
      .flag = true,
      .colour = Colour::blue,
      .some = std::int64_t{1} << 40,
      .part = Part{"one", {1.5, std::nan("")}},
      .parts = {{"two", {}}, {"\xc3\xbc", {0.1}}},
      .by_name = {{"a/b", torch::randn({2, 3})}},
      .tensors = {torch::Tensor(), torch::randn({2, 4, 3, 3}).to(at::MemoryFormat::ChannelsLast),
                  torch::tensor({1, 2}), torch::randn({3}).to(torch::kBFloat16),
                  torch::randn({6}).slice(0, 1, 6, 2), torch::zeros({0, 2})}};
}

void expect_equal(const Whole& found, const Whole& wanted) {
  EXPECT_EQ(found.number, wanted.number);
  EXPECT_EQ(found.seed, wanted.seed);
  EXPECT_EQ(found.flag, wanted.flag);
  EXPECT_EQ(found.colour, wanted.colour);
  EXPECT_EQ(found.some, wanted.some);
  ASSERT_TRUE(found.part);
  EXPECT_EQ(found.part->name, "one");
  EXPECT_EQ(found.part->numbers[0], 1.5);
  EXPECT_TRUE(std::isnan(found.part->numbers[1]));
  ASSERT_EQ(found.parts.size(), 2U);
  EXPECT_EQ(found.parts[1].name, wanted.parts[1].name);
  EXPECT_TRUE(torch::equal(found.by_name.at("a/b"), wanted.by_name.at("a/b")));
  ASSERT_EQ(found.tensors.size(), wanted.tensors.size());
  EXPECT_FALSE(found.tensors[0].defined());
  for (std::size_t i = 1; i < wanted.tensors.size(); ++i) {
    EXPECT_TRUE(torch::equal(found.tensors[i], wanted.tensors[i])) << i;
    EXPECT_EQ(found.tensors[i].scalar_type(), wanted.tensors[i].scalar_type()) << i;
  }
  // The optimizer's kernels need a moment in the layout of its parameter.
  EXPECT_EQ(found.tensors[1].strides(), wanted.tensors[1].strides());
}

TEST(State, GivesBackWhatItWasGiven) {
  const auto wanted = example();
  Whole found;
  restore(found, state_of(wanted));
  expect_equal(found, wanted);
  // What is read is one's own.
  found.tensors[2].fill_(7);
  EXPECT_EQ(wanted.tensors[2][0].item<int>(), 1);
}

TEST(State, ACopyStays) {
  const auto tensor = torch::zeros({2});
  State state;
  state.set("x", tensor);
  const auto copy = state.copy();
  tensor.fill_(1.0);
  EXPECT_EQ(state.at("x").toTensor()[0].item<double>(), 1.0);
  EXPECT_EQ(copy.at("x").toTensor()[0].item<double>(), 0.0);
}

TEST(State, PartsAreWhatIsBelowThem) {
  State state;
  state.set("a/x", 1);
  state.set("ab", 2);
  state.set("a", 3);
  EXPECT_TRUE(state.part("a").has("x"));
  EXPECT_FALSE(state.has_part("ab"));
  state.remove_part("a");
  EXPECT_FALSE(state.has_part("a"));
  EXPECT_TRUE(state.has("a"));
  EXPECT_TRUE(state.has("ab"));
}

TEST(State, NamesWhatIsMissingOrOfAnotherType) {
  State state = state_of(example());
  state.set("flag", 3);
  Whole found;
  try {
    restore(found, state);
    FAIL() << "a number was read as a bool";
  } catch (const FileError& error) {
    EXPECT_NE(std::string(error.what()).find("'flag'"), std::string::npos) << error.what();
  }
  EXPECT_THROW(restore(found, State()), FileError);
}

class StateFile : public ::testing::Test {
 protected:
  ScratchFolder scratch_;
  std::string path_ = scratch_ / "state";

  std::string content() const {
    std::ifstream file(path_, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  }
  void overwrite(const std::string& text) const {
    std::ofstream(path_, std::ios::binary).write(text.data(), static_cast<long>(text.size()));
  }
  std::string failure() const {
    try {
      read_state(path_);
    } catch (const FileError& error) {
      return error.what();
    }
    return "";
  }
};

TEST_F(StateFile, GivesBackWhatItWasGiven) {
  const auto wanted = example();
  write_state(path_, state_of(wanted));
  Whole found;
  restore(found, read_state(path_));
  expect_equal(found, wanted);
}

// Bytes that this process had in memory at most, since it last forgot that; 0 where it cannot.
std::int64_t most_resident(bool forget) {
  if (forget) {
    return (std::ofstream("/proc/self/clear_refs") << 5).flush() ? 1 : 0;
  }
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmHWM:")) {
      return 1024 * std::stoll(line.substr(6));
    }
  }
  return 0;
}

TEST_F(StateFile, IsWrittenWithoutACopyInMemory) {
  State state;
  state.set("large", torch::ones({64, 1 << 18}));
  give_back_freed_memory();
  if (most_resident(/*forget=*/true) == 0) {
    GTEST_SKIP() << "this system does not say how much memory a process took";
  }
  const auto before = resident_memory();
  write_state(path_, state);
  EXPECT_GT(std::filesystem::file_size(path_), 64U << 20U);
  EXPECT_LT(most_resident(/*forget=*/false), before + (16 << 20));
  EXPECT_TRUE(read_state(path_).at("large").toTensor().equal(torch::ones({64, 1 << 18})));
}

TEST_F(StateFile, AChangedByteIsSeenWhereverItIs) {
  write_state(path_, state_of(example()));
  const auto whole = content();
  for (std::size_t at = 0; at < whole.size(); at += whole.size() / 60) {
    auto damaged = whole;
    damaged[at] = static_cast<char>(damaged[at] ^ 0x20);
    overwrite(damaged);
    EXPECT_NE(failure(), "") << "byte " << at;
  }
  for (const std::size_t size :
       {std::size_t{0}, std::size_t{10}, whole.size() / 2, whole.size() - 1}) {
    overwrite(whole.substr(0, size));
    EXPECT_NE(failure(), "") << size << " bytes";
  }
}

TEST_F(StateFile, AnotherVersionIsNamed) {
  write_state(path_, state_of(example()));
  auto text = content();
  text.replace(text.find(" 1\n"), 3, " 2\n");
  overwrite(text);
  EXPECT_NE(failure().find("version 1"), std::string::npos) << failure();
  EXPECT_NE(failure().find("version 2"), std::string::npos) << failure();
}

}  // namespace
}  // namespace actswap
