#include <actswap/data/load.h>
#include <torch/script.h>

#include "files.h"

namespace {

using actswap::FileError;
using actswap::load_data;
using data_test::all_of;
using data_test::expect_error;
using data_test::kX;
using data_test::stored_file;

class Csv : public data_test::InFolder {};

// Quotes, names with commas, and a text as the target: its classes in the order of their names.
TEST_F(Csv, TheLastColumnIsTheTarget) {
  const auto data = load_data(stored_file("iris.csv"), {"x"});
  const auto example = all_of(*data);
  ASSERT_EQ(example.inputs.size(), 1U);
  EXPECT_TRUE(torch::equal(example.inputs[0], kX));
  // a "rose", lily\nof the valley, zinnia
  EXPECT_TRUE(torch::equal(example.target(), torch::tensor({2, 0, 1, 2, 0, 1, 2, 0, 1, 2})));
  EXPECT_NE(data->description().find("input 'width, height, in cm, depth' 3 (float32"),
            std::string::npos)
      << data->description();
}

TEST_F(Csv, WithoutNamesColumnsAreNumbered) {
  const auto example = all_of(*load_data(stored_file("numbers.csv"), {"x"}));
  EXPECT_TRUE(torch::equal(example.inputs[0], kX));
  EXPECT_TRUE(torch::equal(example.target(), torch::arange(10) % 3));
  const auto chosen = all_of(
      *load_data(stored_file("numbers.csv"), {"x"}, {.inputs = {"2", "0"}, .targets = {"1"}}));
  EXPECT_TRUE(torch::equal(chosen.inputs[0], kX.index_select(1, torch::tensor({2, 0}))));
  EXPECT_TRUE(torch::equal(chosen.target(), kX.select(1, 1)));
  EXPECT_EQ(chosen.target().scalar_type(), torch::kFloat32);
}

// Columns that are the model's arguments are inputs of their own; an index and what has gaps is
// left out.
TEST_F(Csv, FindsArgumentsByName) {
  const auto data = load_data(stored_file("pandas.csv"), {"user", "item"}, {.targets = {"rating"}});
  const auto example = all_of(*data);
  ASSERT_EQ(example.inputs.size(), 2U);
  EXPECT_TRUE(torch::equal(example.inputs[0], torch::arange(10) % 4));
  EXPECT_TRUE(torch::equal(example.inputs[1], torch::arange(10) % 5));
  EXPECT_TRUE(torch::equal(example.target(), torch::arange(10) / 2.0F));
  EXPECT_NE(data->description().find("'note' is left out: it has no value in line 7"),
            std::string::npos)
      << data->description();
  const auto by_order = all_of(*load_data(stored_file("pandas.csv"), {"x"}));
  EXPECT_EQ(by_order.inputs[0].sizes(), c10::IntArrayRef({10, 2}));
  expect_error<FileError>(
      [] { load_data(stored_file("pandas.csv"), {"x"}, {.targets = {"note"}}); },
      {"'note'", "no value in line 7"});
}

TEST_F(Csv, NamesWhatIsWrong) {
  const auto refused = [&](const std::string& text, const std::vector<std::string>& parts) {
    const auto file = write("bad.csv", text);
    expect_error<FileError>([&] { load_data(file, {"x"}); }, parts);
  };
  refused("a,b\n1,2\n3\n", {"bad.csv", "2 fields in line 3", "got 1"});
  refused("a,b\n1,\"2\n3,4\n", {"bad.csv", "line 2", "no end"});
  refused("a,b,c\n1,x,2\n1,y,3\n", {"'b'", "text"});
  refused("a,b\n" + std::string(2 << 20, '7') + ",1\n", {"megabyte", "line 2"});
  refused("hello\nworld\n", {"bad.csv", "expected a folder of images"});
}

}  // namespace
