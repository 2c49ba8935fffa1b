#include <gtest/gtest.h>

#include "train/modules.h"

namespace actswap {
namespace {

// The loss of the first step, before anything has moved.
double first_loss(torch::jit::Module module, std::optional<torch::jit::Module> teacher,
                  const torch::Tensor& input, const torch::Tensor& target,
                  const TrainOptions& options) {
  double loss = -1.0;
  TrainCallbacks callbacks;
  callbacks.on_step = [&](const Progress& progress) { loss = progress.loss; };
  train(
      module, teacher, TensorDataset({input}, target), no_ramp(), [](double) {}, options,
      callbacks);
  return loss;
}

// The teacher sees the same input as the student: it gives half of it.
torch::jit::Module make_half() {
  return make_module({{"w", torch::full({1}, 0.5)}}, "  return x * self.w\n");
}

void expect_falls(Loss loss, const torch::Tensor& target, OptimizerKind optimizer) {
  auto module = make_linear(4, 3, 1);
  auto options = plain_options(loss);
  options.optimizer = optimizer;
  options.epochs = 30;
  torch::manual_seed(3);
  const auto input = torch::randn({32, 4});
  const auto records = train(
      module, make_linear(4, 3, 2), TensorDataset({input}, target), no_ramp(), [](double) {},
      options);
  ASSERT_EQ(records.size(), 30U);
  EXPECT_LT(records.back().mean_loss, 0.9 * records.front().mean_loss) << to_string(loss);
}

TEST(Losses, CrossEntropyIsTheDirectComputation) {
  torch::manual_seed(5);
  const auto logits = torch::randn({6, 4});
  const auto target = torch::randint(4, {6}, torch::kInt64);
  const auto direct = -torch::log_softmax(logits, 1).gather(1, target.unsqueeze(1)).mean();
  EXPECT_NEAR(first_loss(make_identity(), {}, logits, target, plain_options(Loss::cross_entropy)),
              direct.item<double>(), 1e-5);
  EXPECT_NEAR(first_loss(make_identity(), {}, logits, target.to(torch::kUInt8),
                         plain_options(Loss::cross_entropy)),
              direct.item<double>(), 1e-5);
}

TEST(Losses, CrossEntropyOfPositions) {
  torch::manual_seed(5);
  const auto logits = torch::randn({2, 4, 3, 5});
  const auto target = torch::randint(4, {2, 3, 5}, torch::kInt64);
  const auto direct = -torch::log_softmax(logits, 1).gather(1, target.unsqueeze(1)).mean();
  EXPECT_NEAR(first_loss(make_identity(), {}, logits, target, plain_options(Loss::cross_entropy)),
              direct.item<double>(), 1e-5);
}

TEST(Losses, MeanSquaredErrorIsTheDirectComputation) {
  torch::manual_seed(5);
  const auto output = torch::randn({6, 4});
  const auto target = torch::randn({6, 4});
  EXPECT_NEAR(first_loss(make_identity(), {}, output, target, plain_options(Loss::mse)),
              (output - target).square().mean().item<double>(), 1e-5);
}

TEST(Losses, DistillationIsTheDirectComputation) {
  torch::manual_seed(5);
  const auto logits = torch::randn({6, 4}) * 3;
  auto options = plain_options(Loss::distil);
  options.temperature = 2.5;
  const auto teacher = torch::softmax(0.5 * logits / 2.5, 1);
  const auto student = torch::softmax(logits / 2.5, 1);
  const auto direct = (teacher * (teacher.log() - student.log())).sum() / 6 * 2.5 * 2.5;
  EXPECT_NEAR(first_loss(make_identity(), make_half(), logits, {}, options), direct.item<double>(),
              1e-5);
  EXPECT_NEAR(first_loss(make_identity(), make_identity(), logits, {}, options), 0.0, 1e-6);
}

TEST(Losses, DistillationOfPositionsIsAMeanOverThem) {
  torch::manual_seed(5);
  const auto logits = torch::randn({2, 4, 5});
  const auto teacher = torch::softmax(0.5 * logits, 1);
  const auto student = torch::softmax(logits, 1);
  const auto direct = (teacher * (teacher.log() - student.log())).sum() / 10;
  EXPECT_NEAR(first_loss(make_identity(), make_half(), logits, {}, plain_options(Loss::distil)),
              direct.item<double>(), 1e-5);
}

TEST(Losses, DistilMseIsTheDirectComputation) {
  torch::manual_seed(5);
  const auto output = torch::randn({6});  // any shape
  EXPECT_NEAR(first_loss(make_identity(), make_half(), output, {}, plain_options(Loss::distil_mse)),
              (0.5 * output).square().mean().item<double>(), 1e-5);
}

TEST(Losses, DistillationSumsOverTheOutputsThatAreFloats) {
  const auto forward = "  y = x * self.w\n  return (y, torch.argmax(x, 1), y * 2.0)\n";
  const auto student = make_module({{"w", torch::ones({1})}}, forward);
  const auto teacher = make_module({{"w", torch::full({1}, 0.5)}}, forward);
  torch::manual_seed(5);
  const auto input = torch::randn({6, 4});
  EXPECT_NEAR(first_loss(student, teacher, input, {}, plain_options(Loss::distil_mse)),
              (0.5 * input).square().mean().item<double>() * 5.0, 1e-5);
}

TEST(Losses, LabelLossesTakeTheFirstOutput) {
  const auto module = make_module({{"w", torch::ones({1})}}, "  return (x * self.w, x * 100.0)\n");
  const auto input = torch::ones({6, 4});
  EXPECT_NEAR(first_loss(module, {}, input, torch::zeros({6, 4}), plain_options(Loss::mse)), 1.0,
              1e-6);
}

TEST(Losses, TrainingMakesEachSmaller) {
  torch::manual_seed(4);
  const auto classes = torch::randint(3, {32}, torch::kInt64);
  const auto values = torch::randn({32, 3});
  for (const auto optimizer : {OptimizerKind::sgd, OptimizerKind::adamw}) {
    expect_falls(Loss::cross_entropy, classes, optimizer);
    expect_falls(Loss::mse, values, optimizer);
    expect_falls(Loss::distil, {}, optimizer);
    expect_falls(Loss::distil_mse, {}, optimizer);
  }
}

TEST(Losses, MessagesSayWhatWasFound) {
  const auto message = [](Loss loss, const torch::Tensor& input, const torch::Tensor& target) {
    return usage_error(
        [&] { first_loss(make_identity(), make_half(), input, target, plain_options(loss)); });
  };
  const auto logits = torch::randn({6, 4});
  const auto contains = [](const std::string& text, const std::string& part) {
    EXPECT_NE(text.find(part), std::string::npos) << text;
  };
  contains(message(Loss::cross_entropy, logits, {}), "it has none");
  contains(message(Loss::cross_entropy, logits, torch::zeros({6})), "float of shape [6]");
  contains(message(Loss::cross_entropy, logits, torch::zeros({6, 1}, torch::kInt64)), "[6, 1]");
  contains(message(Loss::cross_entropy, logits, torch::full({6}, 4, torch::kInt64)),
           "classes in [0, 4), as many as the model's output has, but found class 4");
  contains(message(Loss::cross_entropy, logits, torch::full({6}, -1, torch::kInt64)), "class -1");
  contains(message(Loss::cross_entropy, torch::randn({6}), torch::zeros({6}, torch::kInt64)),
           "logits of shape N x C");
  contains(message(Loss::mse, logits, torch::zeros({6, 1})), "[6, 1]");
  contains(message(Loss::distil, torch::randn({6}), {}), "distil-mse takes any shape");
}

TEST(Losses, DistillingNeedsAnOriginalOfItsOwn) {
  const auto input = torch::randn({6, 4});
  auto module = make_identity();
  const auto run = [&](std::optional<torch::jit::Module> teacher) {
    return usage_error(
        [&] { first_loss(module, teacher, input, {}, plain_options(Loss::distil)); });
  };
  EXPECT_NE(run({}).find("original model"), std::string::npos);
  EXPECT_NE(run(module).find("shares some"), std::string::npos);
  const auto other =
      make_module({{"w", torch::ones({4, 2})}}, "  return torch.matmul(x, self.w)\n");
  EXPECT_NE(run(other).find("original's shape"), std::string::npos);
}

}  // namespace
}  // namespace actswap
