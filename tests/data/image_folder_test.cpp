#include <actswap/data/load.h>
#include <actswap/data/loader.h>
#include <torch/script.h>

#include "files.h"

namespace {

using actswap::FileError;
using actswap::load_data;
using actswap::UsageError;
using data_test::expect_error;

class ImageFolder : public data_test::InFolder {
 protected:
  void copy(const std::string& image, const std::string& to) const {
    const std::filesystem::path target = path(to);
    std::filesystem::create_directories(target.parent_path());
    std::filesystem::copy_file(std::string(ACTSWAP_SOURCE_DIR) + "/tests/data/images/" + image,
                               target);
  }
};

// As torchvision's ImageFolder: classes and files in the order of their names, other files do not
// count, and a folder in a class belongs to it. But classes take turns.
TEST_F(ImageFolder, GivesEachClassItsNumber) {
  copy("rgb.png", "pets/dog/b.png");
  copy("420.jpg", "pets/dog/a.JPG");
  copy("lossy.webp", "pets/cat/1/x.webp");
  copy("grey.png", "pets/cat/2.png");
  copy("bits.png", "pets/Zebra/z.jpeg");  // by the content
  write("pets/dog/notes.txt", "nothing");
  const auto data = load_data(path("pets"), {"x"});
  ASSERT_EQ(data->size(), 5);
  const std::vector<std::int64_t> all = {0, 1, 2, 3, 4};
  const auto example = data->get(all);
  EXPECT_EQ(example.inputs[0].sizes(), c10::IntArrayRef({5, 3, 29, 37}));
  EXPECT_EQ(example.inputs[0].scalar_type(), torch::kFloat32);
  EXPECT_LE(example.inputs[0].max().item<float>(), 1.0F);
  EXPECT_TRUE(torch::equal(example.target(), torch::tensor({0, 1, 2, 1, 2})));
  // cat/2.png comes before cat/1/x.webp: each folder's own files come first.
  EXPECT_TRUE(torch::equal(example.inputs[0][1][0], example.inputs[0][1][2]));
  EXPECT_EQ(data->description(),
            "5 examples; input 'images' 3 x 29 x 37 (RGB images; uint8 / 255, not normalised); "
            "target 'classes' (int64, 3 classes: Zebra (0) to dog)");
}

TEST_F(ImageFolder, ReadsAFolderWithoutClasses) {
  copy("rgb.png", "some/a.png");
  copy("420.jpg", "some/b.jpg");
  const auto data = load_data(path("some"), {"x"},
                              {.mean = {0.5, 0.5, 0.5}, .images = {.resize = {16}, .crop = {12}}});
  const std::vector<std::int64_t> all = {1, 0};
  const auto example = data->get(all);
  EXPECT_EQ(example.inputs[0].sizes(), c10::IntArrayRef({2, 3, 12, 12}));
  EXPECT_LT(example.inputs[0].min().item<float>(), 0.0F);
  EXPECT_TRUE(example.targets.empty());
  const auto grey = load_data(path("some"), {"x"}, {.images = {.grey = true}});
  EXPECT_EQ(grey->get(all).inputs[0].size(1), 1);
}

TEST_F(ImageFolder, TheLoaderGivesTheSameImagesInItsOrder) {
  for (int i = 0; i < 10; ++i) {
    copy(i % 2 == 0 ? "rgb.png" : "rgba.png",
         std::string(i % 2 == 0 ? "f/even/" : "f/odd/") + std::to_string(i) + ".png");
  }
  const auto data = load_data(path("f"), {"x"});
  const std::vector<std::int64_t> one_each = {0, 1};
  const auto images = data->get(one_each).inputs[0];
  std::int64_t seen = 0;
  actswap::Loader(*data, {.batch_size = 4}).for_each(0, [&](std::int64_t, const auto& batch) {
    EXPECT_TRUE(torch::equal(batch.inputs[0], images.index_select(0, batch.target())));
    seen += batch.target().size(0);
  });
  EXPECT_EQ(seen, 10);
}

TEST_F(ImageFolder, NamesWhatIsWrong) {
  copy("rgb.png", "f/a/1.png");
  copy("rgb.png", "f/b/2.png");
  write("f/b/3.png", data_test::read_bytes(path("f/b/2.png")).substr(0, 900));
  const auto damaged = load_data(path("f"), {"x"});
  const std::vector<std::int64_t> all = {0, 1, 2};
  expect_error<FileError>([&] { damaged->get(all); }, {"b/3.png", "example 2", "truncated"});
  std::filesystem::create_directories(path("empty/a"));
  expect_error<FileError>([&] { load_data(path("empty"), {"x"}); }, {"empty/a", "holds none"});
  std::filesystem::create_directories(path("none"));
  expect_error<FileError>([&] { load_data(path("none"), {"x"}); }, {"folder without images"});
  copy("rgb.png", "mixed/1.png");
  copy("rgb.png", "mixed/a/1.png");
  expect_error<FileError>([&] { load_data(path("mixed"), {"x"}); }, {"mixed/1.png", "beside"});
  copy("rgb.png", "splits/train/cat/1.png");
  copy("rgb.png", "splits/val/cat/1.png");
  expect_error<UsageError>([&] { load_data(path("splits"), {"x"}); }, {"/splits/train'"});
  std::filesystem::create_directories(path("other/a"));
  write("other/a/1.bmp", "BM");
  expect_error<FileError>([&] { load_data(path("other"), {"x"}); }, {"1.bmp", "JPEG, PNG or WebP"});
}

TEST_F(ImageFolder, ALinkThatLeadsBackEnds) {
  copy("rgb.png", "f/a/1.png");
  std::filesystem::create_directory_symlink(path("f/a"), path("f/a/back"));
  std::filesystem::create_directory_symlink(path("f/a"), path("f/a/again"));
  expect_error<FileError>([&] { load_data(path("f"), {"x"}); }, {"f/a'"});
}

TEST_F(ImageFolder, RefusesImagesOfDifferentSizes) {
  copy("rgb.png", "f/a/1.png");
  copy("wide.png", "f/a/2.png");
  const auto data = load_data(path("f"), {"x"});
  const std::vector<std::int64_t> all = {0, 1};
  expect_error<UsageError>([&] { data->get(all); }, {"1.png' (example 0) is 29 x 37",
                                                     "2.png' (example 1) 8 x 24", "--crop"});
  EXPECT_EQ(load_data(path("f"), {"x"}, {.images = {.resize = {8}, .crop = {8}}})
                ->get(all)
                .inputs[0]
                .sizes(),
            c10::IntArrayRef({2, 3, 8, 8}));
}

}  // namespace
