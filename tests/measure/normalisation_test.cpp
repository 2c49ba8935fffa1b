#include <actswap/measure/normalisation.h>
#include <torch/script.h>
#include <torch/utils.h>

#include "models.h"

namespace {

using actswap::DataOptions;
using actswap::doubt_normalisation;
using actswap::Model;
using actswap::TensorDataset;

constexpr double kMean = 0.45;
constexpr double kDeviation = 0.225;

/// Smooth images of three channels between 0 and 1, about as bright and varied as photographs.
torch::Tensor photographs(std::int64_t count, std::int64_t seed) {
  torch::manual_seed(seed);
  const auto coarse = torch::randn({count, 3, 5, 5});
  const auto fine = torch::upsample_bilinear2d(coarse, {24, 24}, /*align_corners=*/false);
  return (kMean + 1.3 * kDeviation * fine + 0.03 * torch::randn_like(fine)).clamp(0.0, 1.0);
}

torch::Tensor normalised(const torch::Tensor& images) {
  return (images - kMean) / kDeviation;
}

/// A convolution and a batch norm whose statistics are those of a training on inputs like these.
Model trained_on(const torch::Tensor& inputs, bool has_batch_norm = true) {
  torch::manual_seed(7);
  torch::jit::Module module("net");
  module.register_attribute("training", c10::BoolType::get(), true);
  module.register_parameter("weight", torch::randn({16, 3, 3, 3}) * 0.2, false);
  module.register_buffer("running_mean", torch::zeros({16}));
  module.register_buffer("running_var", torch::ones({16}));
  module.define(R"(
def layer(self, x):
  return torch.conv2d(x, self.weight, None, [1, 1], [1, 1])
def forward(self, x):
  x = torch.batch_norm(self.layer(x), None, None, self.running_mean, self.running_var, False, 0.1, 1e-5, False)
  return torch.relu(x).mean([2, 3])
)");
  const auto values = module.get_method("layer")({inputs}).toTensor();
  module.attr("running_mean").toTensor().copy_(values.mean({0, 2, 3}));
  module.attr("running_var").toTensor().copy_(values.var({0, 2, 3}));
  if (!has_batch_norm) {
    torch::jit::Module plain("plain");
    plain.define("def forward(self, x):\n  return torch.relu(x)\n");
    return {.module = plain};
  }
  return {.module = module};
}

std::string doubt(const Model& model, const torch::Tensor& inputs,
                  const DataOptions& options = {}) {
  return doubt_normalisation(model, TensorDataset({inputs}, {}), options).value_or("");
}

bool says(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

TEST(Normalisation, ThatIsForgottenIsFound) {
  const auto model = trained_on(normalised(photographs(64, 0)));
  const auto images = photographs(64, 1);
  EXPECT_EQ(doubt(model, normalised(images)), "");
  const auto forgotten = doubt(model, images);
  EXPECT_TRUE(says(forgotten, "first batch norm")) << forgotten;
  EXPECT_TRUE(says(forgotten, "--mean 0.4")) << forgotten;
  EXPECT_TRUE(says(forgotten, "--deviation 0.2")) << forgotten;
}

TEST(Normalisation, ThatIsDoneTwiceOrInVainIsFound) {
  const auto images = photographs(64, 1);
  const DataOptions options{.mean = {kMean}, .deviation = {kDeviation}};
  const auto plain = trained_on(photographs(64, 0));
  EXPECT_EQ(doubt(plain, images), "");
  const auto in_vain = doubt(plain, normalised(images), options);
  EXPECT_TRUE(says(in_vain, "without --mean and --deviation")) << in_vain;
  const auto bytes = trained_on(photographs(64, 0) * 255);
  const auto divided = doubt(bytes, images);
  EXPECT_TRUE(says(divided, "0 to 255")) << divided;
  EXPECT_EQ(doubt(bytes, images * 255), "");
}

// Inputs of another kind are no reason for a warning where no scale would make them fit better:
// darker, with less contrast, noise, other filters.
TEST(Normalisation, OfOtherInputsIsNotDoubted) {
  const auto model = trained_on(normalised(photographs(64, 0)));
  const auto images = photographs(64, 1);
  EXPECT_EQ(doubt(model, normalised(images * 0.8)), "");
  EXPECT_EQ(doubt(model, normalised(kMean + 0.7 * (images - kMean))), "");
  EXPECT_EQ(doubt(model, normalised((images + 0.1).clamp(0.0, 1.0))), "");
  EXPECT_EQ(doubt(model, torch::randn({64, 3, 24, 24})), "");
  EXPECT_EQ(doubt(model, normalised(images.flip({2, 3}).slice(2, 4, 20))), "");
}

TEST(Normalisation, ThatNobodyCanJudgeIsNotDoubted) {
  const auto images = photographs(64, 1);
  EXPECT_EQ(doubt(trained_on(images, /*has_batch_norm=*/false), images), "");
  const auto model = trained_on(normalised(images));
  EXPECT_EQ(doubt(model, images.slice(0, 0, 4)), "");           // too few
  EXPECT_EQ(doubt(model, images.slice(1, 0, 2)), "");           // the model rejects them
  EXPECT_EQ(doubt(model, (images * 9).to(torch::kInt64)), "");  // integers
}

}  // namespace
