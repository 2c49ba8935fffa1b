#include <actswap/archive/nesting.h>
#include <actswap/archive/pickle.h>
#include <actswap/base/error.h>

#include <gtest/gtest.h>

#include "models.h"
#include "zip_writer.h"

namespace actswap {
namespace {

std::string repeated(const std::string& text, std::size_t times) {
  std::string all;
  for (std::size_t i = 0; i < times; ++i) {
    all += text;
  }
  return all;
}

std::string text(const std::string& value) {
  return "X" + little_endian(value.size(), 4) + value;
}

std::string integer(std::int64_t value) {
  return "\x8a\x08" + little_endian(static_cast<std::uint64_t>(value), 8);
}

std::string tuple_of(const std::vector<std::int64_t>& values) {
  std::string all = "(";
  for (const auto value : values) {
    all += integer(value);
  }
  return all + "t";
}

std::string storage(std::int64_t count, const std::string& type = "FloatStorage",
                    const std::string& key = "0") {
  return "(" + text("storage") + "ctorch\n" + type + "\n" + text(key) + text("cpu") +
         integer(count) + "tQ";
}

std::string tensor(std::int64_t count, std::int64_t offset, const std::vector<std::int64_t>& sizes,
                   const std::vector<std::int64_t>& strides) {
  return "ctorch._utils\n_rebuild_tensor_v2\n(" + storage(count) + integer(offset) +
         tuple_of(sizes) + tuple_of(strides) + "\x89" + "ccollections\nOrderedDict\n)RtR";
}

// With a record data/0 of 80 bytes, which is 20 floats.
std::string error_of(const std::string& operations) {
  const auto bytes =
      zip_of({{"data.pkl", "\x80\x02" + operations + "."}, {"data/0", std::string(80, 'x')}});
  try {
    const ZipArchive archive(bytes, "a.pt");
    check_pickle(archive, *archive.find("data.pkl"), "data");
  } catch (const FileError& error) {
    return error.what();
  }
  return "sound";
}

void expect_error(const std::string& operations, const std::string& part) {
  const auto message = error_of(operations);
  EXPECT_NE(message.find("'a.pt' is damaged: in its record 'data.pkl', byte "), std::string::npos)
      << message;
  EXPECT_NE(message.find(part), std::string::npos) << message;
}

TEST(Pickle, TakesWhatPyTorchWrites) {
  for (const auto& model : test_models()) {
    const ZipArchive archive(model.path);
    for (const std::string folder : {"data", "constants"}) {
      EXPECT_NO_THROW(check_pickle(archive, *archive.find(folder + ".pkl"), folder)) << model.name;
    }
  }
  for (const char* name : {"data_dict.pt", "data_tuple.pt", "data_tensor.pt", "state_dict.pt"}) {
    const ZipArchive archive(test_model(name));
    EXPECT_NO_THROW(check_pickle(archive, *archive.find("data.pkl"), "data")) << name;
  }
}

TEST(Pickle, ComparesAStorageWithItsRecord) {
  EXPECT_EQ(error_of(storage(20)), "sound");
  EXPECT_EQ(error_of(storage(10, "DoubleStorage")), "sound");
  EXPECT_EQ(error_of(storage(0, "FloatStorage", "none")), "sound");
  expect_error(storage(21),
               "21 elements of FloatStorage is in the record 'data/0', which has 80 bytes");
  expect_error(storage(19), "expected 19 times 4");
  expect_error(storage(20, "DoubleStorage"), "expected 20 times 8");
  expect_error(storage(std::int64_t{1} << 62), "which has 80 bytes");
  expect_error(storage(-1), "-1 elements");
  expect_error(storage(20, "FloatStorage", "7"), "the record 'data/7', which is not there");
}

TEST(Pickle, KeepsATensorWithinItsStorage) {
  EXPECT_EQ(error_of(tensor(20, 0, {4, 5}, {5, 1})), "sound");
  EXPECT_EQ(error_of(tensor(20, 5, {3, 5}, {5, 1})), "sound");
  EXPECT_EQ(error_of(tensor(20, 19, {}, {})), "sound");
  EXPECT_EQ(error_of(tensor(20, 0, {1000, 5}, {0, 1})), "sound");
  EXPECT_EQ(error_of(tensor(20, 0, {0, 4}, {4, 1})), "sound");
  for (const auto& beyond :
       {tensor(20, 6, {3, 5}, {5, 1}), tensor(20, 0, {4, 5}, {6, 1}), tensor(20, 20, {}, {}),
        tensor(20, -1, {2}, {1}), tensor(20, 0, {-2, 5}, {5, 1}), tensor(20, 4, {4}, {-1}),
        tensor(20, 0, {std::int64_t{1} << 40, std::int64_t{1} << 40}, {0, 0}),
        tensor(20, 0, {3}, {std::int64_t{1} << 62})}) {
    expect_error(beyond, "reaches beyond the 20 elements of its storage");
  }
  expect_error(tensor(20, 0, {4, 5}, {1}), "2 sizes and 1 strides");
}

TEST(Pickle, BoundsNesting) {
  const auto lists = [](std::size_t depth) {
    return repeated("](", depth) + "K\x01" + repeated("e", depth);
  };
  EXPECT_EQ(error_of(lists(kDeepestNesting - 1)), "sound");
  expect_error(lists(kDeepestNesting + 1), "nested more than 1000 deep");
  expect_error(lists(100000), "nested more than 1000 deep");
  expect_error("K\x01" + repeated("\x85", 100000), "nested more than 1000 deep");
  expect_error(repeated("}(K\x01", 100000) + "K\x01" + repeated("u", 100000), "nested");
}

// A chain of lists can be made from its end as well, and a list can be put into itself.
TEST(Pickle, RefusesWhatGrowsInsideOfAnotherValue) {
  expect_error("]q" + std::string(1, '\0') + "(h" + std::string(1, '\0') + "e", "grows");
  expect_error("]q" + std::string(1, '\0') + "\x85" + "h" + std::string(1, '\0') + "(K\x01" + "e",
               "grows");
}

TEST(Pickle, RefusesOperationsWithoutTheirValues) {
  expect_error("e", "there is none");
  expect_error("\x86", "takes 2 values, but there are 0");
  expect_error("K\x01(\x85", "takes 1 values, but there are 0");
  expect_error("}(K\x01u", "a key without a value");
  expect_error("h\x05", "value number 5, which does not exist yet");
  expect_error("]r" + little_endian(1000000, 4), "the number 1000000, more than there can be");
  expect_error("X" + little_endian(1000000, 4), "1000000 more bytes");
  expect_error("cabc", "a name has no end");
}

// LibTorch keeps functions by number: a number alone would call one.
TEST(Pickle, RefusesToCallANumber) {
  expect_error("K\x01)R", "calls a value that is not a function");
  expect_error("ctorch\nFloatStorage\n)R", "calls a value that is not a function");
}

// It ends there itself, with a message of its own for what the file holds.
TEST(Pickle, EndsWhereLibTorchDoes) {
  EXPECT_EQ(error_of("ctorch\nSize\n)R" + storage(21)), "sound");
  EXPECT_EQ(error_of("I1\n" + storage(21)), "sound");
}

TEST(Nesting, CountsBracketsBlocksAndOperators) {
  EXPECT_EQ(nesting_of_code(""), 0U);
  EXPECT_EQ(nesting_of_code("x = f(a, b)\n"), 2U);
  EXPECT_EQ(nesting_of_code("x = " + repeated("(", 50) + "a" + repeated(")", 50) + "\n"), 51U);
  EXPECT_EQ(nesting_of_code("x = " + repeated("-", 70) + "a\n"), 71U);
  EXPECT_EQ(nesting_of_code("x = a" + repeated(" + a", 80) + "\n"), 81U);
  EXPECT_EQ(nesting_of_code("x = " + repeated("not ", 90) + "a\n"), 91U);
  EXPECT_EQ(nesting_of_code("x = a" + repeated("[0]", 60) + "\n"), 61U);
  EXPECT_EQ(nesting_of_code("x = [" + repeated("-1, ", 5000) + "]\n"), 3U);
  EXPECT_EQ(nesting_of_code(repeated("  ", 40) + "pass\n"), 40U);
  EXPECT_EQ(nesting_of_code("x = \"((((((((\" # ((((((\n"), 1U);
  EXPECT_EQ(nesting_of_code(repeated("x = (a + b)\n", 1000)), 3U);
}

TEST(Nesting, IsSmallInWhatPyTorchWrites) {
  for (const auto& model : test_models()) {
    for (const auto& [name, content] : entries_of(model.path)) {
      if (name.ends_with(".py")) {
        EXPECT_LT(nesting_of_code(content), kDeepestNesting / 10) << model.name << " " << name;
      }
    }
  }
}

}  // namespace
}  // namespace actswap
