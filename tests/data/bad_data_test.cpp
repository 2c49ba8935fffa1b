// Data that no computation survives, or that asks for more than there is: each is named, with its
// file and example, before anything is computed with it.
#include <actswap/data/finite.h>
#include <actswap/data/labels.h>
#include <actswap/data/load.h>
#include <torch/script.h>
#include <zlib.h>

#include <limits>

#include "files.h"
#include "zip_writer.h"

namespace {

using actswap::FileError;
using actswap::label_range;
using actswap::load_data;
using actswap::TensorDataset;
using actswap::UsageError;
using data_test::all_of;
using data_test::expect_error;

constexpr auto kNan = std::numeric_limits<float>::quiet_NaN();
constexpr auto kInfinity = std::numeric_limits<float>::infinity();

std::string npy(const std::string& shape, const std::string& elements = "") {
  std::string header = "{'descr': '<f4', 'fortran_order': False, 'shape': " + shape + ", }";
  header += std::string(117 - header.size(), ' ') + "\n";
  return std::string("\x93NUMPY\x01\x00\x76\x00", 10) + header + elements;
}

std::string bytes_of(const torch::Tensor& tensor) {
  const auto plain = tensor.contiguous();
  return {static_cast<const char*>(plain.data_ptr()), plain.nbytes()};
}

class BadData : public data_test::InFolder {
 protected:
  std::string save(const std::string& name,
                   const std::vector<std::pair<std::string, torch::Tensor>>& tensors) const {
    c10::Dict<std::string, torch::Tensor> content;
    for (const auto& [key, tensor] : tensors) {
      content.insert(key, tensor);
    }
    const auto bytes = torch::jit::pickle_save(content);
    return write(name, {bytes.begin(), bytes.end()});
  }
};

TEST_F(BadData, NotANumberIsNamedInEveryFormat) {
  auto x = torch::rand({12, 2, 3});
  x[7][1][2] = kNan;
  const auto y = torch::arange(12) % 4;
  const auto expect = [&](const std::string& spec) {
    expect_error<UsageError>([&] { load_data(spec, {"x"}); },
                             {spec, "input 'x'", "example 7 holds NaN at [1, 2]"});
  };
  expect(save("a.pt", {{"x", x}, {"y", y}}));
  expect(save("strided.pt", {{"x", x.transpose(0, 1).contiguous().transpose(0, 1)}, {"y", y}}));
  expect(write("x.npy", npy("(12, 2, 3)", bytes_of(x))));
  expect(write("x.npz", actswap::zip_of({{"x.npy", npy("(12, 2, 3)", bytes_of(x))}}, "")));
  expect(save("half.pt", {{"x", x.to(torch::kHalf)}, {"y", y}}));
  expect(save("complex.pt", {{"x", torch::complex(x, x)}, {"y", y}}));
}

TEST_F(BadData, AnInfinityIsNamedUnlessItIsAMask) {
  auto x = torch::rand({5, 3});
  x[3][1] = -kInfinity;
  const auto mixed = save("a.pt", {{"x", x}});
  expect_error<UsageError>([&] { load_data(mixed, {"x"}); },
                           {"example 3 holds an infinity at [1]"});
  const auto masks = torch::where(x < 0.5, torch::tensor(-kInfinity), torch::tensor(0.0F));
  EXPECT_EQ(load_data(save("mask.pt", {{"x", masks}}), {"x"})->size(), 5);
  const auto target = save("b.pt", {{"x", torch::rand({5, 3})}, {"y", masks}});
  expect_error<UsageError>([&] { load_data(target, {"x"}); }, {"target 'y'", "an infinity"});
}

TEST_F(BadData, WhatAddsUpToInfinityIsFinite) {
  const auto x = torch::full({4, 3}, 3e38F);
  EXPECT_EQ(load_data(save("a.pt", {{"x", x}}), {"x"})->size(), 4);
}

// Too much to be looked at in advance: the batch that holds it is refused.
TEST_F(BadData, NotANumberInLargeDataIsNamedWhereItIsRead) {
  constexpr std::int64_t kExamples = 1 << 20;
  constexpr std::int64_t kBytes = 4 * 128;
  const auto file = write("x.npy", npy("(1048576, 128)"));
  std::filesystem::resize_file(file, 128 + kExamples * kBytes);
  {
    std::fstream stream(file, std::ios::in | std::ios::out | std::ios::binary);
    stream.seekp(128 + 1000 * kBytes + 8);
    stream.write(reinterpret_cast<const char*>(&kNan), sizeof kNan);
  }
  const auto data = load_data(file, {"x"});
  const std::vector<std::int64_t> indices = {2000, 1000};
  expect_error<UsageError>([&] { data->get(indices); }, {"example 1000 holds NaN at [2]"});
}

TEST_F(BadData, TheLimitLeavesOutWhatIsBehindIt) {
  auto x = torch::rand({12, 3});
  x[7][0] = kNan;
  EXPECT_EQ(load_data(save("a.pt", {{"x", x}}), {"x"}, {.limit = 7})->size(), 7);
}

TEST_F(BadData, LabelsThatAreNoClassesAreNamed) {
  const auto x = torch::rand({12, 3});
  const auto labels = torch::tensor({0, 1, 2, 3, 0, 9, 2, 3, 0, -1, 2, 3});
  const auto range = label_range(TensorDataset({x}, labels), 4);
  EXPECT_EQ(range.count, 12);
  EXPECT_EQ(range.outside, 2);
  EXPECT_TRUE(range.are_mostly_classes());
  expect_error<UsageError>(
      [&] { range.expect_classes("training"); },
      {"from 0 to 3", "example 5 of the training data has the class 9", "1 more"});
  const auto years = label_range(TensorDataset({x}, labels + 1990), 4);
  EXPECT_EQ(years.outside, 12);
  EXPECT_FALSE(years.are_mostly_classes());
  EXPECT_EQ(label_range(TensorDataset({x}, torch::rand({12})), 4).count, 0);
  EXPECT_EQ(label_range(TensorDataset({x}, {}), 4).count, 0);
  // 0 and 1 for a model of one logit.
  EXPECT_FALSE(
      label_range(TensorDataset({x}, labels.eq(9).to(torch::kLong)), 1).are_mostly_classes());
  // A label for each place.
  const auto places = torch::zeros({3, 4}, torch::kLong);
  places[2][1] = 5;
  EXPECT_EQ(label_range(TensorDataset({x.narrow(0, 0, 3)}, places), 4).example, 2);
}

// As Python's torch.save writes them (make_refused.py).
TEST_F(BadData, TensorsOfOtherKindsAreNamed) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"sparse", "x.to_dense()"},      {"sparse_csr", "x.to_dense()"},
      {"quantized", "x.dequantize()"}, {"quantized_channels", "x.dequantize()"},
      {"meta", "without data"},        {"nested", "x.to_padded_tensor(0)"},
      {"float8", "x.float()"},         {"uint16", "x.to(torch.int64)"}};
  for (const auto& [name, part] : cases) {
    const auto file = std::string(ACTSWAP_SOURCE_DIR) + "/tests/data/refused/" + name + ".pt";
    expect_error<FileError>([&] { load_data(file, {"x"}); }, {name, part});
  }
}

// Rows that lie over each other, backwards or between each other.
TEST_F(BadData, StridesAreAsTheFileSays) {
  const auto line = torch::arange(40).to(torch::kFloat32);
  const auto overlapping = line.as_strided({12, 3, 2}, {1, 5, 2}, 4);
  const auto transposed =
      torch::arange(72).to(torch::kFloat32).reshape({2, 3, 12}).permute({2, 1, 0});
  for (const auto& x : {overlapping, transposed}) {
    const auto data = load_data(save("x.pt", {{"x", x}}), {"x"});
    EXPECT_TRUE(torch::equal(all_of(*data).inputs[0], x));
  }
  const auto flags = (line > 20).as_strided({12, 2}, {2, 1});
  EXPECT_TRUE(torch::equal(actswap::read_tensors(save("x.pt", {{"x", flags}}))[0].second, flags));
}

// Of a billion examples one number is in the file.
TEST_F(BadData, AnExpandedTensorTakesNoMemory) {
  const auto x = torch::full({1}, 3.0F).expand({1 << 24, 64, 8});
  const auto file = save("x.pt", {{"x", x}});
  const auto before = data_test::peak_memory();
  const auto data = load_data(file, {"x"});
  const std::vector<std::int64_t> indices = {5, 1 << 23};
  EXPECT_TRUE(data->get(indices).inputs[0].eq(3).all().item<bool>());
  EXPECT_LT(data_test::peak_memory() - before, std::int64_t{1} << 28);
}

TEST_F(BadData, MoreExamplesThanMemoryCanOrderAreRefused) {
  const auto file = write("x.npy", npy("(1099511627776, 0)"));
  expect_error<FileError>([&] { load_data(file, {"x"}); }, {"1099511627776 examples", "memory"});
}

TEST_F(BadData, AFileThatShrinksIsAnError) {
  const auto x = torch::rand({64, 1024});
  const auto rows = save("rows.pt", {{"x", x}});
  const auto data = load_data(rows, {"x"});
  std::filesystem::resize_file(rows, 4096);
  const std::vector<std::int64_t> last = {63};
  expect_error<FileError>([&] { data->get(last); }, {rows});
  // What is read at once does not need the file any more.
  const auto columns = save("columns.pt", {{"x", x.t()}});
  const auto whole = load_data(columns, {"x"});
  std::filesystem::resize_file(columns, 0);
  EXPECT_TRUE(torch::equal(whole->get(last).inputs[0][0], x.t()[63]));
}

// The record `name` of so many zeros behind `begin`, deflated.
std::string zip_bomb(const std::string& name, const std::string& begin, std::int64_t zeros) {
  std::string packed;
  std::vector<char> piece(1 << 16);
  z_stream stream = {};
  deflateInit2(&stream, 1, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY);
  auto crc = crc32(0, nullptr, 0);
  const auto add = [&](std::string bytes, int flush) {
    crc = crc32_z(crc, reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size());
    stream.next_in = reinterpret_cast<unsigned char*>(bytes.data());
    stream.avail_in = static_cast<unsigned>(bytes.size());
    do {
      stream.next_out = reinterpret_cast<unsigned char*>(piece.data());
      stream.avail_out = static_cast<unsigned>(piece.size());
      deflate(&stream, flush);
      packed.append(piece.data(), piece.size() - stream.avail_out);
    } while (stream.avail_out == 0);
  };
  add(begin, Z_NO_FLUSH);
  const std::string zero(1 << 20, '\0');
  for (std::int64_t done = 0; done < zeros; done += 1 << 20) {
    add(zero, Z_NO_FLUSH);
  }
  add("", Z_FINISH);
  deflateEnd(&stream);
  using actswap::little_endian;
  const auto size = begin.size() + static_cast<std::size_t>(zeros);
  const auto common = little_endian(20, 2) + little_endian(0, 2) + little_endian(8, 2) +
                      little_endian(0, 4) + little_endian(crc, 4) +
                      little_endian(packed.size(), 4) + little_endian(size, 4) +
                      little_endian(name.size(), 2) + little_endian(0, 2);
  const auto local = "PK\x03\x04" + common + name + packed;
  const auto directory =
      "PK\x01\x02" + little_endian(20, 2) + common + std::string(14, '\0') + name;
  return local + directory + "PK\x05\x06" + little_endian(0, 4) + little_endian(1, 2) +
         little_endian(1, 2) + little_endian(directory.size(), 4) + little_endian(local.size(), 4) +
         little_endian(0, 2);
}

TEST_F(BadData, AZipBombIsNotUnpacked) {
  constexpr std::int64_t kZeros = std::int64_t{1} << 28;
  const auto file = write("x.npz", zip_bomb("x.npy", npy("(10, 3)"), kZeros));
  const auto before = data_test::peak_memory();
  expect_error<FileError>([&] { load_data(file, {"x"}); },
                          {"'x.npy' in '" + file, "asks for 120 bytes", "it holds 268435456"});
  const auto objects = write("y.npz", zip_bomb("y.npy", "not an array", kZeros));
  expect_error<FileError>([&] { load_data(objects, {"x"}); },
                          {"'y.npy' in '" + objects, "not a .npy file"});
  EXPECT_LT(data_test::peak_memory() - before, kZeros / 4);
}

TEST_F(BadData, ACompressedArrayIsReadWhole) {
  const auto file = write("x.npz", zip_bomb("x.npy", npy("(524288, 2)"), 4 << 20));
  const auto x = actswap::read_tensors(file)[0].second;
  EXPECT_EQ(x.sizes(), c10::IntArrayRef({524288, 2}));
  EXPECT_FALSE(x.any().item<bool>());
}

std::string safetensors(const std::string& header, std::uint64_t size) {
  return actswap::little_endian(size, 8) + header;
}

TEST_F(BadData, HeadersOfAbsurdSizeAreRefused) {
  const auto large = write("a.safetensors", safetensors("{}", std::uint64_t{1} << 62));
  expect_error<FileError>([&] { load_data(large, {"x"}); }, {large, "4611686018427387904 bytes"});
  for (const auto* shape : {"[1.5]", "1", "[-1]", "[\"1\"]"}) {
    const auto header =
        std::string("{\"x\":{\"dtype\":\"F32\",\"shape\":") + shape + ",\"data_offsets\":[0,4]}}";
    const auto file = write("b.safetensors", safetensors(header, header.size()) + "abcd");
    expect_error<FileError>([&] { load_data(file, {"x"}); }, {"'x' in '" + file, "shape"});
  }
}

TEST_F(BadData, ANameThatIsThereTwiceIsRefused) {
  const auto table = write("a.csv", "a,b,a,y\n1,2,3,0\n4,5,6,1\n");
  expect_error<FileError>([&] { load_data(table, {"x"}); }, {table, "'a' of column 2"});
}

TEST_F(BadData, AnInfinityInATableIsNamedWithItsLine) {
  const auto table = write("a.csv", "a,b,y\n1,2,0\n-inf,5,1\n");
  expect_error<FileError>([&] { load_data(table, {"x"}, {.inputs = {"a"}, .targets = {"y"}}); },
                          {table, "'a'", "infinite in line 3"});
}

TEST_F(BadData, AnEmptyImageAmongManyIsNamedAtOnce) {
  const auto image =
      data_test::read_bytes(std::string(ACTSWAP_SOURCE_DIR) + "/tests/data/images/rgb.png");
  for (const auto* kind : {"f/a/", "f/b/"}) {
    std::filesystem::create_directories(path(kind));
    for (int i = 0; i < 50; ++i) {
      write(kind + std::to_string(100 + i) + ".png", i == 30 && kind[2] == 'b' ? "" : image);
    }
  }
  expect_error<FileError>([&] { load_data(path("f"), {"x"}); },
                          {"f/b/130.png' (example 61)", "it is empty"});
}

}  // namespace
