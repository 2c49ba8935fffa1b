// Data of several formats from the command line: what the log says, and what is refused.
#include "scratch.h"

namespace {

using tool_test::contains;
using tool_test::expect_failure;
using tool_test::model_file;

class Data : public tool_test::InScratch {
 protected:
  /// Twelve images in folders of four classes, as the model takes them with --resize 8 --crop 8.
  void write_image_folders(const std::string& folder) const {
    const std::string images = std::string(ACTSWAP_SOURCE_DIR) + "/tests/data/images/";
    int number = 0;
    for (const auto* image : {"rgb.png", "420.jpg", "lossy.webp"}) {
      for (const auto* kind : {"ant", "bee", "cat", "dog"}) {
        const std::filesystem::path to = path(folder + "/" + kind);
        std::filesystem::create_directories(to);
        std::filesystem::copy_file(images + image, to / (std::to_string(number++) + "-" + image));
      }
    }
  }
};

TEST_F(Data, AFolderOfImagesIsReadAndDescribed) {
  write_image_folders("pets");
  const auto outcome = run_here({"eval", model_file("scripted_module.pt"), "--data", "pets",
                                 "--resize", "8", "--crop", "8", "--mean", "0.5,0.5,0.5"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_TRUE(contains(outcome.out, "12 examples"));
  EXPECT_TRUE(contains(outcome.err,
                       "--data: 12 examples; input 'images' 3 x 8 x 8 (RGB images, shorter side "
                       "resized to 8 (bilinear), the middle 8 x 8; uint8 / 255, less 0.5,0.5,0.5); "
                       "target 'classes' (int64, 4 classes: ant (0) to dog)"));
}

TEST_F(Data, AFolderOfImagesIsTrainedOn) {
  write_image_folders("pets");
  const auto outcome =
      run_here({"convert", model_file("scripted_module.pt"), "-o", "out.pt", "--train", "pets",
                "--val", "pets", "--resize", "8x8", "--batch", "4", "--calibrate-passes", "1"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_TRUE(contains(outcome.out, "accuracy"));
}

TEST_F(Data, OptionsForImagesNeedImages) {
  write_images("data.pt", 8);
  const auto model = model_file("scripted_module.pt");
  const auto outcomes = run_all({{"eval", model, "--data", "data.pt", "--resize", "8"},
                                 {"eval", model, "--data", "data.pt", "--crop", "8x"},
                                 {"eval", model, "--data", "data.pt", "--interpolation", "nearest"},
                                 {"convert", model, "-o", "out.pt", "--grey"},
                                 {"eval", model, "--data", "no"}});
  expect_failure(outcomes[0], 2, {"--resize", "files of images", "data.pt"});
  expect_failure(outcomes[1], 2, {"--crop", "224x192", "'8x'"});
  expect_failure(outcomes[2], 2, {"--interpolation", "bicubic"});
  expect_failure(outcomes[3], 2, {"--grey has no effect without"});
  expect_failure(outcomes[4], 3, {"'no'", "no such file"});
}

TEST_F(Data, ClassesOfTrainingAndValidationAreTheSame) {
  write_image_folders("train");
  write_image_folders("val");
  std::filesystem::remove_all(path("val/bee"));
  expect_failure(run_here({"convert", model_file("scripted_module.pt"), "-o", "out.pt", "--train",
                           "train", "--val", "val", "--resize", "8x8"}),
                 2, {"training and validation", "4 and 3", "'bee'"});
}

// The quickstart's network was trained with a normalisation, which makes 91 % of 11 %.
TEST_F(Data, AForgottenNormalisationIsAWarning) {
  const std::string data = "/usr/share/datasets/fashion-mnist/t10k-";
  const auto pair = data + "images-idx3-ubyte.gz," + data + "labels-idx1-ubyte.gz";
  if (!std::filesystem::exists(data + "images-idx3-ubyte.gz")) {
    GTEST_SKIP() << "dataset-fashion-mnist is not installed";
  }
  const std::string model =
      std::string(ACTSWAP_SOURCE_DIR) + "/examples/fashion_mnist/model_mish.pt";
  const auto outcomes = run_all(
      {{"eval", model, "--data", pair, "--limit", "500"},
       {"eval", model, "--data", pair, "--limit", "500", "--mean", "0.286", "--deviation", "0.353"},
       {"eval", model, "--data", pair, "--limit", "500", "--mean", "0.5", "--deviation", "0.5"}});
  EXPECT_TRUE(contains(outcomes[0].err, "uint8 / 255, not normalised"));
  EXPECT_TRUE(contains(outcomes[0].err, "warning: --data: the inputs are not scaled as"));
  EXPECT_TRUE(contains(outcomes[0].err, "--mean 0.2"));
  for (const auto& outcome : {outcomes[1], outcomes[2]}) {  // the second loses three points
    EXPECT_EQ(outcome.err.find("warning"), std::string::npos) << outcome.err;
  }
}

}  // namespace
