#include <actswap/train/rate_search.h>

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "train/modules.h"

namespace actswap {
namespace {

// A student that is near its teacher, as after a calibration.
struct Task {
  static constexpr double kNoise = 0.1;

  std::int64_t width;
  torch::jit::Module teacher;
  torch::jit::Module student;
  TensorDataset data;
  HeldOut split;
  TrainOptions options;

  static torch::jit::Module network(std::int64_t width, double noise) {
    torch::manual_seed(3);
    const auto near = [&](const torch::Tensor& value) {
      return value + noise * value.square().mean().sqrt() * torch::randn_like(value);
    };
    const auto w = torch::randn({8, width}) / std::sqrt(8.0);
    const auto v = torch::randn({width, width}) / std::sqrt(static_cast<double>(width));
    const auto u = torch::randn({width, 3}) / std::sqrt(static_cast<double>(width));
    return make_module({{"w", near(w)}, {"v", near(v)}, {"u", near(u)}},
                       "  y = torch.relu(torch.matmul(x, self.w))\n"
                       "  y = torch.relu(torch.matmul(y, self.v))\n"
                       "  return torch.matmul(y, self.u)\n");
  }
  static TensorDataset inputs() {
    torch::manual_seed(4);
    return {{torch::randn({512, 8})}, {}};
  }

  explicit Task(std::int64_t the_width)
      : width(the_width),
        teacher(network(width, 0.0)),
        student(network(width, kNoise)),
        data(inputs()),
        split(data, 64, 0),
        options(plain_options(Signal::distil_mse)) {
    options.optimizer = OptimizerKind::adamw;
    options.batch_size = 32;
    options.epochs = 2;
    options.warmup = 0.05;
  }

  RateSweep search() {
    return search_rate(student, teacher, split, [](double) {}, options);
  }
  double loss_after(double rate) const {
    auto module = network(width, kNoise);
    auto training = options;
    training.learning_rate = rate;
    training.is_rate_relative = true;
    train(module, teacher, split.learnt, no_ramp(), [](double) {}, training);
    const auto x = split.judged.get(shuffled_indices(64, 0, 0)).inputs[0];
    const torch::NoGradGuard no_grad;
    return torch::mse_loss(module.forward({x}).toTensor(),
                           network(width, 0.0).forward({x}).toTensor())
        .item<double>();
  }
};

TEST(RateSearch, FindsARateThatSuitsTheTrainingWhateverTheWidth) {
  for (const std::int64_t width : {16, 128}) {
    Task task(width);
    const auto before = task.student.attr("v").toTensor().detach().clone();
    const auto found = task.search();
    EXPECT_TRUE(task.student.attr("v").toTensor().equal(before)) << "it is left as it was";
    EXPECT_EQ(found.steps, 8);  // more than an eighth of two epochs of 14 batches
    EXPECT_EQ(found.held_out, 64);
    double best = found.start_loss;
    for (const int place : {-2, 0, 1, 2, 3}) {
      best = std::min(best, task.loss_after(1e-3 * std::pow(3.0, place)));
    }
    const double gain = found.start_loss - task.loss_after(found.chosen);
    EXPECT_GT(gain, 0.8 * (found.start_loss - best)) << width << ": " << found.chosen;
    EXPECT_EQ(found.chosen, task.search().chosen);
  }
}

TEST(RateSearch, GoesDownToWhereItHelps) {
  // y = exp(100 w x): what a rate moves counts a hundredfold.
  Task task(16);
  task.teacher =
      make_module({{"w", torch::full({1}, 0.101)}}, "  return torch.exp(x * self.w * 30.0)\n");
  task.student =
      make_module({{"w", torch::full({1}, 0.1)}}, "  return torch.exp(x * self.w * 30.0)\n");
  const auto found = task.search();
  ASSERT_FALSE(found.trials.empty());
  const auto chosen = std::find_if(found.trials.begin(), found.trials.end(),
                                   [&](const auto& trial) { return trial.rate == found.chosen; });
  ASSERT_NE(chosen, found.trials.end());
  EXPECT_LT(chosen->loss, found.start_loss);
  for (const auto& trial : found.trials) {
    EXPECT_GE(trial.loss, chosen->loss) << trial.rate;
  }
}

TEST(HeldOutExamples, AreSplitOffOnce) {
  const TensorDataset data({torch::arange(20)}, {});
  const HeldOut split(data, 5, 1);
  EXPECT_EQ(split.judged.size(), 5);
  EXPECT_EQ(split.learnt.size(), 15);
  const auto all = torch::cat({split.judged.get(std::vector<std::int64_t>{0, 1, 2, 3, 4}).inputs[0],
                               split.learnt.get(shuffled_indices(15, 0, 0)).inputs[0]});
  EXPECT_TRUE(std::get<0>(all.sort()).equal(torch::arange(20)));
}

}  // namespace
}  // namespace actswap
