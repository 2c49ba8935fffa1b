// Data larger than memory: sparse files, which take no room on the disk.
#include <actswap/data/load.h>
#include <actswap/data/loader.h>
#include <torch/script.h>

#include "files.h"

namespace {

using data_test::read_bytes;

class LargeData : public data_test::InFolder {};

// 100 GB as one array of 664,000 images, of which batches from everywhere are read, in the order of
// a training.
TEST_F(LargeData, StaysOnTheDisk) {
  constexpr std::int64_t kImagesInAll = 664'000;
  constexpr std::int64_t kBytes = 3 * 224 * 224;
  std::string header = "{'descr': '|u1', 'fortran_order': False, 'shape': (664000, 3, 224, 224), }";
  header += std::string(117 - header.size(), ' ') + "\n";
  const auto file = write("large.npy", std::string("\x93NUMPY\x01\x00\x76\x00", 10) + header);
  std::filesystem::resize_file(file, 128 + static_cast<std::uintmax_t>(kImagesInAll * kBytes));
  {
    std::fstream stream(file, std::ios::in | std::ios::out | std::ios::binary);
    stream.seekp(128 + (kImagesInAll - 1) * kBytes);
    stream.put('\xff');  // the last image's first byte
  }
  const auto before = data_test::peak_memory();
  const auto data = actswap::load_data(file, {"x"}, {.mean = {0.5}});
  EXPECT_EQ(data->size(), kImagesInAll);
  const std::vector<std::int64_t> last = {kImagesInAll - 1};
  EXPECT_EQ(data->get(last).inputs[0][0][0][0][0].item<float>(), 0.5F);
  struct Enough {};
  EXPECT_THROW(actswap::Loader(*data, {.batch_size = 64})
                   .for_each(0,
                             [](std::int64_t batch, const auto& example) {
                               EXPECT_EQ(example.inputs[0].sizes(),
                                         c10::IntArrayRef({64, 3, 224, 224}));
                               if (batch == 8) {
                                 throw Enough();
                               }
                             }),
               Enough);
  EXPECT_LT(data_test::peak_memory() - before, std::int64_t{1} << 29);
}

}  // namespace
