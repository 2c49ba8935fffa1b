#include <actswap/data/load.h>
#include <torch/script.h>

#include "files.h"
#include "zip_writer.h"

namespace {

using actswap::FileError;
using actswap::read_tensors;
using data_test::expect_error;
using data_test::kX;
using data_test::kY;
using data_test::model_file;

class TensorsFile : public data_test::InFolder {
 protected:
  std::string save(const std::string& name, const c10::IValue& value) const {
    const auto bytes = torch::jit::pickle_save(value);
    return write(name, {bytes.begin(), bytes.end()});
  }
};

TEST_F(TensorsFile, ReadsWhatPythonSaves) {
  const auto dict = read_tensors(model_file("data_dict.pt"));
  ASSERT_EQ(dict.size(), 2U);
  EXPECT_EQ(dict[0].first, "x");
  EXPECT_EQ(dict[1].first, "y");
  const auto tuple = read_tensors(model_file("data_tuple.pt"));
  ASSERT_EQ(tuple.size(), 2U);
  EXPECT_EQ(tuple[0].first, "0");
  EXPECT_EQ(tuple[1].first, "1");
  for (const auto& tensors : {dict, tuple}) {
    EXPECT_TRUE(torch::equal(tensors[0].second, kX));
    EXPECT_TRUE(torch::equal(tensors[1].second, kY));
  }
  const auto tensor = read_tensors(model_file("data_tensor.pt"));
  ASSERT_EQ(tensor.size(), 1U);
  EXPECT_EQ(tensor[0].first, "0");
  EXPECT_TRUE(torch::equal(tensor[0].second, kX));
}

TEST_F(TensorsFile, ReadsAList) {
  const auto tensors = read_tensors(save("list.pt", c10::List<torch::Tensor>({kX, kY})));
  ASSERT_EQ(tensors.size(), 2U);
  EXPECT_TRUE(torch::equal(tensors[1].second, kY));
}

TEST_F(TensorsFile, RefusesOtherContent) {
  const auto number = save("number.pt", 3);
  expect_error<FileError>([&] { read_tensors(number); }, {number, "holds a Int"});
  const auto mixed = save("mixed.pt", c10::ivalue::Tuple::create({kX, 3}));
  expect_error<FileError>([&] { read_tensors(mixed); }, {mixed, "'1' is not one: it is a Int"});
}

// What Python writes of a sparse tensor calls torch.Size, which LibTorch does not know.
TEST_F(TensorsFile, DoesNotCallOtherObjectsDamaged) {
  const auto file = write("size.pt", actswap::zip_of({{"data.pkl",
                                                       "\x80\x02"
                                                       "ctorch\nSize\n)R."},
                                                      {"version", "3"}}));
  expect_error<FileError>([&] { read_tensors(file); }, {file, "other Python objects"});
}

TEST_F(TensorsFile, SaysThatAFileIsATorchScriptModel) {
  torch::jit::Module module("m");
  module.define("def forward(self, x):\n  return x + 1\n");
  module.save(path("model.pt"));
  expect_error<FileError>([&] { read_tensors(path("model.pt")); },
                          {path("model.pt"), "it is a TorchScript model"});
}

TEST_F(TensorsFile, RefusesWhatIsNoArchive) {
  const auto text = write("text.pt", "hello");
  expect_error<FileError>([&] { read_tensors(text); }, {text, "expected a folder of images"});
  const auto empty = write("empty.pt", "");
  expect_error<FileError>([&] { read_tensors(empty); }, {empty, "it is empty"});
  const auto legacy = write("legacy.pt", "\x80\x02\x8a\x0al\xfc\x9c\x46\xf9 j\xa8P\x19.");
  expect_error<FileError>([&] { read_tensors(legacy); }, {legacy, "old format"});
  const auto pickle = write("data.pkl", "\x80\x04\x95\x0f]");
  expect_error<FileError>([&] { read_tensors(pickle); }, {pickle, "pickle", "torch.save("});
  expect_error<FileError>([&] { read_tensors(path("missing.pt")); }, {"no such file"});
  expect_error<FileError>([&] { read_tensors(path("")); }, {"folder without images"});
}

TEST_F(TensorsFile, RefusesARecordThatIsTooShort) {
  actswap::rewrite_archive(model_file("data_dict.pt"), path("short.pt"),
                           [](const std::string& name, std::string& content) {
                             if (name.starts_with("data/")) {
                               content.resize(8);
                             }
                           });
  expect_error<FileError>([&] { read_tensors(path("short.pt")); },
                          {path("short.pt"), "which has 8 bytes"});
}

// LibTorch frees nested lists by recursion.
TEST_F(TensorsFile, RefusesNestedLists) {
  std::string content = "\x80\x02";
  for (int i = 0; i < 100000; ++i) {
    content += "](";
  }
  content += std::string(100000, 'e') + ".";
  const auto file = write("nested.pt", actswap::zip_of({{"data.pkl", content}, {"version", "3"}}));
  expect_error<FileError>([&] { read_tensors(file); }, {file, "nested more than 1000 deep"});
}

TEST_F(TensorsFile, RefusesADamagedArchive) {
  const auto whole = data_test::read_bytes(model_file("data_dict.pt"));
  ASSERT_GT(whole.size(), 100U);
  for (std::size_t size = 1; size < whole.size(); size += 97) {
    const auto file = write("cut.pt", whole.substr(0, size));
    expect_error<FileError>([&] { read_tensors(file); }, {file});
  }
  // A changed byte is an error, or in a place without meaning; it is never a crash.
  for (std::size_t at = 0; at < whole.size(); at += 13) {
    auto changed = whole;
    changed[at] = static_cast<char>(changed[at] ^ 0xff);
    const auto file = write("changed.pt", changed);
    try {
      read_tensors(file);
    } catch (const FileError&) {
    }
  }
}

// What Python's torch.save writes of a list of pairs (make_files.py).
TEST_F(TensorsFile, AListOfPairsIsTwoTensors) {
  const auto tensors = read_tensors(data_test::stored_file("pairs.pt"));
  ASSERT_EQ(tensors.size(), 2U);
  EXPECT_TRUE(torch::equal(tensors[0].second, kX));
  EXPECT_TRUE(torch::equal(tensors[1].second, kY));
  auto rows = c10::impl::GenericList(c10::AnyType::get());
  rows.push_back(c10::ivalue::Tuple::create({kX, 3}));
  rows.push_back(c10::ivalue::Tuple::create({kY, 3}));
  const auto shapes = save("shapes.pt", rows);
  expect_error<FileError>([&] { read_tensors(shapes); }, {shapes, "example 1", "one shape"});
}

TEST_F(TensorsFile, SaysHowToSaveATensorDataset) {
  expect_error<FileError>([&] { read_tensors(data_test::stored_file("tensor_dataset.pt")); },
                          {"tensor_dataset.pt", "torch.save(dataset.tensors, FILE)"});
}

// Rows are read from the file; what else a dict holds is left out, and the description says so.
TEST_F(TensorsFile, ReadsTensorsBesideOtherValues) {
  const auto data = actswap::load_data(data_test::stored_file("mixed.pt"), {"x"});
  const auto example = data_test::all_of(*data);
  EXPECT_TRUE(torch::equal(example.inputs[0], kX));
  ASSERT_EQ(example.targets.size(), 1U);
  EXPECT_TRUE(torch::equal(example.target(), kY));
  EXPECT_NE(data->description().find("'step' is left out: it is a Int"), std::string::npos)
      << data->description();
}

// For --input: every format that holds tensors.
TEST_F(TensorsFile, ReadsArraysToo) {
  const auto tensors = read_tensors(data_test::stored_file("data.safetensors"));
  ASSERT_EQ(tensors.size(), 3U);
  const auto array = read_tensors(data_test::stored_file("fortran.npy"));
  ASSERT_EQ(array.size(), 1U);
  EXPECT_TRUE(torch::equal(array[0].second, kX));
}

}  // namespace
