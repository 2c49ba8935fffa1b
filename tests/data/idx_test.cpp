#include <actswap/data/load.h>
#include <torch/script.h>
#include <zlib.h>

#include "files.h"

namespace {

using actswap::FileError;
using actswap::read_idx;
using data_test::expect_error;
using data_test::idx_header;
using data_test::idx_of_bytes;

class Idx : public data_test::InFolder {
 protected:
  std::string gzip(const std::string& name, const std::string& bytes) const {
    const gzFile file = gzopen(path(name).c_str(), "wb");
    gzwrite(file, bytes.data(), static_cast<unsigned>(bytes.size()));
    gzclose(file);
    return path(name);
  }
  void expect_damaged(const std::string& bytes, const std::string& what) const {
    const auto file = write("damaged.idx", bytes);
    expect_error<FileError>([&] { read_idx(file); }, {file, what});
  }
};

const auto kImages = idx_of_bytes({2, 3, 4});

TEST_F(Idx, ReadsPlainAndGzipByContent) {
  const auto expected = torch::arange(24, torch::kUInt8).reshape({2, 3, 4});
  for (const auto& file : {write("plain.gz", kImages), gzip("packed.idx", kImages)}) {
    const auto tensor = read_idx(file);
    EXPECT_EQ(tensor.scalar_type(), torch::kUInt8);
    EXPECT_TRUE(torch::equal(tensor, expected)) << file;
  }
}

TEST_F(Idx, ReadsEachElementTypeBigEndian) {
  const auto check = [&](int code, const std::string& elements, const torch::Tensor& expected) {
    const auto tensor = read_idx(write("typed.idx", idx_header(code, {2}) + elements));
    EXPECT_EQ(tensor.scalar_type(), expected.scalar_type());
    EXPECT_TRUE(torch::equal(tensor, expected)) << tensor;
  };
  const auto bytes = [](std::initializer_list<int> values) {
    return std::string(values.begin(), values.end());
  };
  check(0x08, bytes({1, 0xff}), torch::tensor({1, 255}, torch::kUInt8));
  check(0x09, bytes({1, 0xff}), torch::tensor({1, -1}, torch::kInt8));
  check(0x0b, bytes({1, 2, 0xff, 0xfe}), torch::tensor({258, -2}, torch::kInt16));
  check(0x0c, bytes({0, 1, 0, 2, 0xff, 0xff, 0xff, 0xfe}),
        torch::tensor({65538, -2}, torch::kInt32));
  check(0x0d, bytes({0x3f, 0x80, 0, 0, 0xc0, 0x20, 0, 0}),
        torch::tensor({1.0, -2.5}, torch::kFloat32));
  check(0x0e, bytes({0x3f, 0xf0, 0, 0, 0, 0, 0, 0, 0xc0, 4, 0, 0, 0, 0, 0, 0}),
        torch::tensor({1.0, -2.5}, torch::kFloat64));
}

TEST_F(Idx, ReadsFashionMnist) {
  // scripts/setup.sh installs Debian's package of it.
  const std::string folder = "/usr/share/datasets/fashion-mnist/";
  const auto images = read_idx(folder + "train-images-idx3-ubyte.gz");
  const auto labels = read_idx(folder + "train-labels-idx1-ubyte.gz");
  EXPECT_EQ(images.sizes(), (std::vector<std::int64_t>{60000, 28, 28}));
  EXPECT_EQ(labels.sizes(), (std::vector<std::int64_t>{60000}));
  EXPECT_TRUE(torch::equal(torch::bincount(labels), torch::full({10}, 6000)));
  EXPECT_NEAR(images.to(torch::kDouble).mean().item<double>() / 255, 0.2860, 1e-4);
}

TEST_F(Idx, RefusesOtherFormats) {
  expect_damaged("PK\x03\x04 a zip archive", "50 4b 03 04");
  expect_damaged(std::string({0, 0, 0x0a, 1, 0, 0, 0, 0}), "00 00 0a 01");
  expect_damaged(std::string({0, 0, 8, 0}), "not an idx file");
  expect_damaged(std::string({0, 0, 8, '\xff'}), "not an idx file");
  expect_damaged("", "truncated");
  expect_damaged(std::string({0, 0, 8}), "truncated");
}

TEST_F(Idx, RefusesWhatDisagreesWithItsHeader) {
  for (const std::size_t size : {5U, 10U, 16U, 17U, 39U}) {
    expect_damaged(kImages.substr(0, size), "truncated");
  }
  expect_damaged(kImages + "x", "more bytes");
  const std::uint32_t most = 0xffffffff;
  expect_damaged(idx_header(8, {most, most, most}), "2^36");
  expect_damaged(idx_header(8, {0, most, most, most, most}), "2^36");
  expect_damaged(idx_header(0x0e, {1U << 30}) + "12345678", "truncated");
}

TEST_F(Idx, RefusesDamagedGzip) {
  std::string noise;  // does not compress, so that each byte below is data
  for (std::uint32_t i = 0, x = 1; i < 4096; ++i, x = x * 1664525 + 1013904223) {
    noise += static_cast<char>(x >> 24);
  }
  const auto packed = data_test::read_bytes(gzip("ok.gz", idx_header(8, {4096}) + noise));
  EXPECT_EQ(read_idx(path("ok.gz")).numel(), 4096);
  for (const std::size_t size : {3UL, 12UL, 100UL, 2000UL, packed.size() - 8, packed.size() - 1}) {
    const auto file = write("cut.gz", packed.substr(0, size));
    expect_error<FileError>([&] { read_idx(file); }, {file});
  }
  // The checksum and the length at the end, also of a file whose bytes are all there before.
  const auto small = data_test::read_bytes(gzip("small.gz", kImages));
  for (std::size_t missing = 1; missing <= 8; ++missing) {
    const auto file = write("cut.gz", small.substr(0, small.size() - missing));
    expect_error<FileError>([&] { read_idx(file); }, {file, "its gzip stream has no end"});
  }
  for (const std::size_t at : {std::size_t{2}, std::size_t{1000}, packed.size() - 6}) {
    auto changed = packed;
    changed[at] = static_cast<char>(changed[at] ^ 0x55);
    const auto file = write("changed.gz", changed);
    expect_error<FileError>([&] { read_idx(file); }, {file});
  }
}

// What `cat a.gz b.gz` gives is a gzip file too.
TEST_F(Idx, ReadsGzipFilesOneAfterTheOther) {
  const auto half = kImages.size() / 2;
  const auto file = write("both.gz", data_test::read_bytes(gzip("a.gz", kImages.substr(0, half))) +
                                         data_test::read_bytes(gzip("b.gz", kImages.substr(half))));
  EXPECT_TRUE(torch::equal(read_idx(file), read_idx(write("plain.idx", kImages))));
  const auto more = write("more.gz", data_test::read_bytes(gzip("c.gz", kImages)) + "more");
  expect_error<FileError>([&] { read_idx(more); }, {more});
}

TEST_F(Idx, RefusesWhatIsNoFile) {
  expect_error<FileError>([&] { read_idx(path("missing.idx")); }, {"missing.idx", "no such file"});
  expect_error<FileError>([&] { read_idx(path("")); }, {"no regular file"});
}

}  // namespace
