#include <actswap/data/load.h>
#include <torch/script.h>

#include "files.h"

namespace {

using actswap::FileError;
using actswap::load_data;
using data_test::all_of;
using data_test::expect_error;
using data_test::stored_file;

class Tar : public data_test::InFolder {};

// ustar, GNU with long names, pax: nine examples, with an image, a class, an array and a JSON file.
TEST_F(Tar, ReadsShards) {
  const auto data =
      load_data(stored_file("shard-{000..002}.tar"), {"x"}, {.targets = {"cls", "x.npy"}});
  ASSERT_EQ(data->size(), 9);
  const std::vector<std::int64_t> indices = {8, 0, 4, 3};
  const auto example = data->get(indices);
  const auto order = torch::tensor({8, 0, 4, 3});
  EXPECT_EQ(example.inputs[0].sizes(), c10::IntArrayRef({4, 3, 6, 8}));
  EXPECT_TRUE(torch::allclose(example.inputs[0].select(1, 2).select(1, 0).select(1, 0) * 255,
                              (order * 3).to(torch::kFloat32)));
  EXPECT_TRUE(torch::equal(example.targets[0], order % 3));
  EXPECT_TRUE(torch::equal(
      example.targets[1],
      (torch::arange(30).reshape({10, 3}).index_select(0, order)).to(torch::kFloat32)));
  EXPECT_NE(data->description().find("'json' is left out"), std::string::npos)
      << data->description();
}

TEST_F(Tar, ImagesAreInputsAndClassesTargets) {
  const auto data = load_data(stored_file("shard-000.tar"), {"x"}, {.images = {.crop = {4}}});
  const auto example = all_of(*data);
  EXPECT_EQ(example.inputs[0].sizes(), c10::IntArrayRef({3, 3, 4, 4}));
  EXPECT_EQ(example.targets.size(), 2U);
}

std::string entry(const std::string& name, const std::string& content) {
  std::string block(512, '\0');
  block.replace(0, name.size(), name);
  char size[12];
  std::snprintf(size, sizeof size, "%011zo", content.size());
  block.replace(124, 11, size);
  block.replace(148, 8, "        ");
  block[156] = '0';
  unsigned sum = 0;
  for (const unsigned char c : block) {
    sum += c;
  }
  char digits[8];
  std::snprintf(digits, sizeof digits, "%06o", sum);
  block.replace(148, 7, std::string(digits, 7));
  return block + content + std::string((512 - content.size() % 512) % 512, '\0');
}

TEST_F(Tar, NamesWhatIsWrong) {
  const auto refused = [&](const std::string& bytes, const std::vector<std::string>& parts) {
    const auto file = write("bad.tar", bytes);
    expect_error<FileError>([&] { all_of(*load_data(file, {"x"})); }, parts);
  };
  refused(entry("a.cls", "one"), {"'a.cls' in '", "example 0", "'one'"});
  refused(entry("a.cls", "1") + entry("a.cls", "1"), {"example 0 ('a')", "twice"});
  refused(entry("a.cls", "1") + entry("b.png", "1"), {"example 1 ('b')", "'png'"});
  refused(entry("a.cls", "1") + entry("a.png", "1") + entry("b.png", "1"),
          {"example 1 ('b') has no 'cls'"});
  refused(entry("a.png", "no image"), {"'a.png' in '", "example 0", "JPEG, PNG or WebP"});
  const auto good = entry("a.cls", "1") + entry("b.cls", "2");
  EXPECT_EQ(load_data(write("good.tar", good), {"x"})->size(), 2);
  auto changed = good;
  changed[1024 + 5] ^= 1;
  refused(changed, {"byte 1024", "checksum"});
  refused(good.substr(0, 1100), {"bad.tar", "truncated"});
  auto huge = entry("a.cls", "1");
  huge = entry("x.cls", std::string(3000, '1')).substr(0, 1024);
  refused(huge, {"byte 0", "more bytes than the archive"});
}

TEST_F(Tar, IsNoCrashWhenDamaged) {
  const auto whole = data_test::read_bytes(stored_file("shard-001.tar"));
  for (std::size_t at = 0; at < whole.size(); at += 701) {
    auto changed = whole;
    changed[at] = static_cast<char>(changed[at] ^ 0x81);
    for (const auto& bytes : {changed, whole.substr(0, at)}) {
      const auto file = write("damaged", bytes);
      try {
        all_of(*load_data(file, {"x"}));
      } catch (const actswap::Error&) {
      }
    }
  }
}

}  // namespace
