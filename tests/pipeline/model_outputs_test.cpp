#include <actswap/base/error.h>
#include <actswap/pipeline/model_outputs.h>

#include <torch/script.h>
#include <torch/utils.h>

#include <gtest/gtest.h>

#include "models.h"

namespace actswap {
namespace {

using Found = std::optional<std::int64_t>;

// Of images and this target; the model's outputs are N x 4.
Found found(const torch::Tensor& target) {
  static const auto model = load(test_model("scripted_module.pt"));
  torch::manual_seed(1);
  return look_at_outputs(model, TensorDataset({torch::randn({20, 3, 8, 8})}, target)).class_dim;
}

TEST(ClassDim, IsFoundByTheTarget) {
  EXPECT_EQ(found(torch::arange(20).remainder(4)), Found(1));
  EXPECT_EQ(found(torch::arange(20).remainder(4).to(torch::kByte)), Found(1));
}

TEST(ClassDim, OfASequenceIsTheLast) {
  const auto unit = std::make_shared<torch::jit::CompilationUnit>();
  const auto model = adopt(make_module(
      unit, "Tokens", "def forward(self, x):\n    return torch.stack([x, -x, x + 1.0], 2)\n"));
  const auto x = torch::randn({20, 7});
  const auto classes = torch::arange(140).remainder(3).reshape({20, 7});
  EXPECT_EQ(look_at_outputs(model, TensorDataset({x}, classes)).class_dim, Found(-1));
  EXPECT_EQ(look_at_outputs(model, TensorDataset({x}, classes), 1).class_dim, Found());
  EXPECT_EQ(look_at_outputs(model, TensorDataset({x}, classes + 1)).class_dim, Found());
}

TEST(ClassDim, WithoutClassesThereIsNone) {
  EXPECT_EQ(found({}), Found());
  EXPECT_EQ(found(torch::randn({20, 4})), Found()) << "a regression";
  EXPECT_EQ(found(torch::zeros({20, 4}, torch::kLong)), Found()) << "of another shape";
  EXPECT_EQ(found(torch::arange(20)), Found()) << "more classes than outputs";
  EXPECT_EQ(found(torch::arange(20).remainder(4) - 1), Found()) << "a class of -1";
  EXPECT_EQ(found(torch::ones({20}, torch::kBool)), Found());
}

// The first that the model is run on are classes, one further on is none.
TEST(ClassDim, AllTargetsAreLookedAt) {
  auto target = torch::arange(20).remainder(4);
  target[19] = 4;
  EXPECT_EQ(found(target), Found());
}

TEST(ClassDim, SaysWhereTheModelRejectsTheData) {
  const auto model = load(test_model("scripted_module.pt"));
  const TensorDataset data({torch::randn({20, 5})}, torch::arange(20).remainder(4));
  EXPECT_THROW(look_at_outputs(model, data), UsageError);
}

Model model_of(const std::string& result) {
  return adopt(make_module(std::make_shared<torch::jit::CompilationUnit>(), "Net",
                           "def forward(self, x):\n    return " + result + "\n"));
}

TensorDataset vectors(const torch::Tensor& target = {}) {
  torch::manual_seed(1);
  return {{torch::randn({40, 3})}, target};
}

TEST(LookAtOutputs, FindsTheFormOfEach) {
  const auto model = model_of("x.sum(1), torch.softmax(x, 1), x.argmax(1)");
  const auto forms = look_at_outputs(model, vectors()).forms;
  ASSERT_EQ(forms.size(), 3U);
  EXPECT_EQ(forms[0].kind, OutputKind::values);
  EXPECT_EQ(forms[0].shape, std::vector<std::int64_t>{40}) << "of several batches";
  EXPECT_EQ(forms[1].kind, OutputKind::probabilities);
  EXPECT_EQ(forms[2].kind, OutputKind::ignored);
}

TEST(LookAtOutputs, AsksTheLabels) {
  const auto kind = [](const torch::Tensor& target, std::optional<std::int64_t> dim = {}) {
    return look_at_outputs(model_of("3.0 * x"), vectors(target), dim).forms[0].kind;
  };
  EXPECT_EQ(kind({}), OutputKind::scores);
  EXPECT_EQ(kind({}, 1), OutputKind::logits);
  EXPECT_EQ(kind(torch::arange(40) % 3), OutputKind::logits);
  EXPECT_EQ(kind(torch::randn({40, 3})), OutputKind::values);
  EXPECT_THROW(kind({}, 2), UsageError);
  EXPECT_EQ(
      look_at_outputs(model_of("x.sum(1, keepdim=True)"), vectors(torch::zeros({40}, torch::kLong)))
          .class_dim,
      Found())
      << "one class is none";
}

TEST(CheckLoss, ComputesTheFirstLoss) {
  const auto refusal = [](const std::string& result, const char* loss,
                          const torch::Tensor& target) -> std::string {
    const auto model = model_of(result);
    TrainOptions options;
    options.loss = parse_loss(loss);
    options.keeps_statistics = true;
    try {
      options.outputs = look_at_outputs(model, vectors(target)).forms;
      check_loss(model, vectors(target), options);
    } catch (const UsageError& error) {
      return error.what();
    }
    return "";
  };
  EXPECT_EQ(refusal("x.sum(1)", "outputs+layers+sites", {}), "");
  EXPECT_EQ(refusal("x", "distil", {}), "");
  EXPECT_NE(refusal("x.sum(1)", "distil", {}).find("gives float of shape [8]"), std::string::npos);
  EXPECT_NE(refusal("x", "mse", torch::randn({40, 1})).find("[8, 1]"), std::string::npos);
  EXPECT_NE(refusal("x", "cross-entropy", {}).find("it has none"), std::string::npos);
  EXPECT_NE(refusal("x.argmax(1)", "outputs", {}).find("values that vary"), std::string::npos);
}

}  // namespace
}  // namespace actswap
