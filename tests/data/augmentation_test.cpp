#include <actswap/base/error.h>
#include <actswap/data/augmentation.h>
#include <actswap/data/loader.h>

#include <torch/script.h>

#include <gtest/gtest.h>

#include <set>
#include <utility>

namespace actswap {
namespace {

torch::Tensor images(std::int64_t count) {
  return torch::arange(count * 2 * 5 * 6).reshape({count, 2, 5, 6}).to(torch::kFloat);
}

torch::Tensor changed(const torch::Tensor& batch, const Augmentation& augmentation,
                      std::int64_t epoch = 0, std::int64_t number = 0, std::uint64_t seed = 3) {
  return augmented({.inputs = {batch}}, augmentation, seed, epoch, number).inputs[0];
}

TEST(Augmentation, IsReadAndWritten) {
  for (const char* text : {"none", "flip", "crop=4", "flip+crop=12"}) {
    EXPECT_EQ(to_string(parse_augmentation(text)), text);
  }
  EXPECT_EQ(to_string(parse_augmentation("crop=1+flip")), "flip+crop=1");
  for (const char* text : {"", "flop", "crop", "crop=", "crop=0", "crop=-1", "crop=2x",
                           "flip,crop=2", "flip+", "crop=99999999999999999999"}) {
    EXPECT_THROW(parse_augmentation(text), UsageError) << text;
  }
}

// About half of the images, each its mirror image or as it was.
TEST(Augmentation, FlipsHalfOfTheImages) {
  const auto batch = images(400);
  const auto found = changed(batch, {.flip = true});
  int flipped = 0;
  for (std::int64_t i = 0; i < batch.size(0); ++i) {
    if (torch::equal(found[i], batch[i].flip(2))) {
      ++flipped;
    } else {
      EXPECT_TRUE(torch::equal(found[i], batch[i]));
    }
  }
  EXPECT_NEAR(flipped, 200, 50);  // five standard deviations
}

// Every place of the window is a place of the image's mirrored continuation, and all come up.
TEST(Augmentation, MovesImagesByAtMostTheCrop) {
  const auto batch = images(300);
  const auto found = changed(batch, {.crop = 2});
  const auto padded = torch::reflection_pad2d(batch, {2, 2, 2, 2});
  std::set<std::pair<std::int64_t, std::int64_t>> moves;
  for (std::int64_t i = 0; i < batch.size(0); ++i) {
    bool is_window = false;
    for (std::int64_t down = 0; down < 5; ++down) {
      for (std::int64_t right = 0; right < 5; ++right) {
        if (torch::equal(found[i], padded[i].narrow(1, down, 5).narrow(2, right, 6))) {
          is_window = true;
          moves.emplace(down, right);
        }
      }
    }
    EXPECT_TRUE(is_window) << i;
  }
  EXPECT_EQ(moves.size(), 25U);
}

TEST(Augmentation, DependsOnSeedEpochAndBatchAlone) {
  const auto batch = images(64);
  const Augmentation both = {.flip = true, .crop = 2};
  const auto first = changed(batch, both);
  EXPECT_TRUE(torch::equal(first, changed(batch, both)));
  EXPECT_FALSE(torch::equal(first, changed(batch, both, 1)));
  EXPECT_FALSE(torch::equal(first, changed(batch, both, 0, 1)));
  EXPECT_FALSE(torch::equal(first, changed(batch, both, 0, 0, 4)));
}

TEST(Augmentation, KeepsTypeAndTheRest) {
  auto bytes = images(4).remainder(256).to(torch::kByte);
  const auto before = bytes.clone();
  const Example batch = {.inputs = {bytes, torch::ones({4})}, .targets = {torch::arange(4)}};
  const auto found = augmented(batch, {.flip = true, .crop = 1}, 0, 0, 0);
  EXPECT_EQ(found.inputs[0].scalar_type(), torch::kByte);
  EXPECT_TRUE(torch::equal(found.inputs[1], torch::ones({4})));
  EXPECT_TRUE(torch::equal(found.target(), torch::arange(4)));
  EXPECT_TRUE(torch::equal(bytes, before)) << "the data itself was changed";
}

TEST(Augmentation, SaysWhatItExpects) {
  EXPECT_THROW(changed(torch::zeros({4, 6}), {.flip = true}), UsageError);
  EXPECT_THROW(changed(images(2), {.crop = 5}), UsageError);
  EXPECT_NO_THROW(changed(images(2), {.crop = 4}));
}

TEST(Augmentation, TheLoaderAppliesIt) {
  const TensorDataset data({images(16)}, torch::arange(16));
  const Loader loader(data, {.batch_size = 8, .shuffle = false, .augmentation = {.flip = true}});
  loader.for_each(2, [&](std::int64_t number, const Example& example) {
    const auto plain = images(16).narrow(0, 8 * number, 8);
    EXPECT_TRUE(torch::equal(example.inputs[0], changed(plain, {.flip = true}, 2, number, 0)));
  });
}

// Processes that share batches out see the images that one process sees.
TEST(Augmentation, TheSharesOfABatchAreThoseOfTheWhole) {
  const TensorDataset data({images(23)}, torch::arange(23));
  for (const bool drop_last : {true, false}) {
    LoaderOptions options{.batch_size = 7,
                          .drop_last = drop_last,
                          .seed = 5,
                          .augmentation = {.flip = true, .crop = 2}};
    const auto batches = [&](Share share) {
      options.share = share;
      std::vector<Example> found;
      Loader(data, options).for_each(1, [&](std::int64_t, const Example& batch) {
        found.push_back(batch);
      });
      return found;
    };
    const auto whole = batches({});
    const std::vector<std::vector<Example>> shares = {batches({0, 3}), batches({1, 3}),
                                                      batches({2, 3})};
    for (std::size_t i = 0; i < whole.size(); ++i) {
      std::vector<torch::Tensor> seen;
      std::vector<torch::Tensor> targets;
      for (const auto& share : shares) {
        seen.push_back(share.at(i).inputs[0]);
        targets.push_back(share.at(i).target());
        EXPECT_NEAR(static_cast<double>(seen.back().size(0)),
                    static_cast<double>(whole[i].inputs[0].size(0)) / 3.0, 1.0);
      }
      EXPECT_TRUE(torch::equal(torch::cat(seen), whole[i].inputs[0])) << i;
      EXPECT_TRUE(torch::equal(torch::cat(targets), whole[i].target())) << i;
    }
  }
  EXPECT_THROW(Loader(data, {.batch_size = 2, .share = {.number = 0, .count = 3}}), UsageError);
}

}  // namespace
}  // namespace actswap
