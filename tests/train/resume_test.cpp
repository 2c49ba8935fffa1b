// A training that is saved and taken up again, and one that goes back after it exploded.
#include <actswap/checkpoint/state_file.h>

#include <gtest/gtest.h>

#include "models.h"
#include "train/modules.h"

#include <cmath>

namespace actswap {
namespace {

// Dropout draws, a batch norm gathers, a counter counts; weights of several types.
torch::jit::Module make_net(torch::ScalarType type = torch::kFloat32) {
  torch::manual_seed(7);
  torch::jit::Module module("__torch__.net");
  module.register_attribute("training", c10::BoolType::get(), true);
  module.register_attribute("t", c10::FloatType::get(), 0.0);
  module.register_attribute("calls", c10::IntType::get(), 0);
  const auto add = [&](const char* name, const torch::Tensor& value) {
    module.register_parameter(name, value.set_requires_grad(true), false);
  };
  add("w", torch::randn({4, 16}).to(type));
  add("g", torch::ones({16}));
  add("b", torch::zeros({16}));
  add("v", torch::randn({16, 3}).to(type));
  module.register_buffer("running_mean", torch::zeros({16}));
  module.register_buffer("running_var", torch::ones({16}));
  module.define(
      "def forward(self, x):\n"
      "  if self.training:\n"
      "    self.calls += 1\n"
      "  h = torch.matmul(x.to(self.w.dtype), self.w).float()\n"
      "  h = torch.batch_norm(h, self.g, self.b, self.running_mean, self.running_var, "
      "self.training, 0.1, 1e-5, False)\n"
      "  h = torch.dropout((1.0 - self.t) * torch.silu(h) + self.t * torch.relu(h), 0.3, "
      "self.training)\n"
      "  return torch.matmul(h.to(self.v.dtype), self.v).float() + 1e-3 * float(self.calls)\n");
  return module;
}

struct ResumeCase {
  std::string name;
  TrainOptions options;
  torch::ScalarType type = torch::kFloat32;
  Schedule schedule = Schedule::step({});
};

TrainOptions some_options() {
  TrainOptions options;
  options.loss = Signal::mse;
  options.epochs = 2.5;
  options.batch_size = 8;
  options.learning_rate = 0.02;
  options.seed = 5;
  return options;
}

std::vector<ResumeCase> cases() {
  std::vector<ResumeCase> cases = {{"adamw", some_options()},
                                   {"sgd", some_options()},
                                   {"bfloat16", some_options(), torch::kBFloat16},
                                   {"half", some_options(), torch::kHalf},
                                   {"ramp", some_options()},
                                   {"patience", some_options()}};
  cases[1].options.optimizer = OptimizerKind::sgd;
  cases[1].options.keep = Keep::best;
  cases[1].options.check_every = 0.2;
  cases[4].schedule = Schedule(Curve::linear, {.begin = 0.0, .end = 1.0});
  cases[4].options.bound = 0.1;
  cases[4].options.check_every = 0.4;
  cases[4].options.retries = 2;
  cases[5].options.patience = 3;
  cases[5].options.check_every = 0.4;
  return cases;
}

std::vector<torch::Tensor> tensors_of(const torch::jit::Module& module) {
  std::vector<torch::Tensor> tensors;
  for (const auto& tensor : module.parameters()) {
    tensors.push_back(tensor);
  }
  for (const auto& tensor : module.buffers()) {
    tensors.push_back(tensor);
  }
  return tensors;
}

class Resume {
 public:
  explicit Resume(const ResumeCase& the_case) : case_(the_case), data_(regression()) {}

  struct Result {
    torch::jit::Module module;
    std::vector<EpochRecord> epochs;
  };

  Result run(TrainCallbacks callbacks) const {
    auto module = make_net(case_.type);
    int checks = 0;
    if (case_.options.asks_for_checks()) {
      callbacks.check = [&module, &checks] {
        ++checks;
        const auto size = module.attr("v").toTensor().to(torch::kDouble).norm().item<double>();
        return Check{size, size - 6.0};
      };
    }
    auto epochs = train(
        module, {}, data_, case_.schedule, [&](double t) { module.setattr("t", t); }, case_.options,
        callbacks);
    return {module, std::move(epochs)};
  }

  void expect_same(const Result& found, const Result& wanted, std::int64_t step) const {
    const auto a = tensors_of(found.module);
    const auto b = tensors_of(wanted.module);
    for (std::size_t i = 0; i < b.size(); ++i) {
      EXPECT_TRUE(torch::equal(a[i], b[i])) << case_.name << ", tensor " << i << ", step " << step;
    }
    EXPECT_EQ(found.module.attr("calls").toInt(), wanted.module.attr("calls").toInt());
    ASSERT_EQ(found.epochs.size(), wanted.epochs.size()) << case_.name << ", step " << step;
    for (std::size_t i = 0; i < wanted.epochs.size(); ++i) {
      EXPECT_EQ(found.epochs[i].mean_loss, wanted.epochs[i].mean_loss) << i;
      EXPECT_EQ(found.epochs[i].checks.size(), wanted.epochs[i].checks.size()) << i;
    }
  }

 private:
  const ResumeCase& case_;
  TensorDataset data_;
};

// From every step on, by way of a file, after the process's generator was moved.
TEST(TrainingState, GoesOnToTheSameParameters) {
  const ScratchFolder scratch;
  for (const auto& each : cases()) {
    const Resume resume(each);
    std::vector<std::string> files;
    TrainCallbacks saving;
    saving.saves_at = [](SavePoint) { return true; };
    saving.save = [&](const State& state) {
      files.push_back(scratch / (each.name + std::to_string(files.size())));
      write_state(files.back(), state);
    };
    const auto wanted = resume.run(saving);
    ASSERT_GE(files.size(), 8U) << each.name;
    for (std::size_t i = 0; i < files.size(); ++i) {
      torch::manual_seed(99);
      TrainCallbacks resuming;
      resuming.resume = read_state(files[i]);
      resume.expect_same(resume.run(resuming), wanted, static_cast<std::int64_t>(i));
    }
  }
}

// An interruption saves what a later run goes on with.
TEST(TrainingState, IsSavedBeforeAnInterruption) {
  const auto all = cases();
  const Resume resume(all[0]);
  const auto wanted = resume.run({});
  TrainCallbacks stopping;
  State saved;
  int steps = 0;
  stopping.should_stop = [&] { return steps == 7; };
  stopping.on_step = [&](const Progress&) { ++steps; };
  stopping.saves_at = [](SavePoint point) { return point == SavePoint::stopped; };
  stopping.save = [&](const State& state) { saved = state.copy(); };
  EXPECT_THROW(resume.run(stopping), Interrupted);
  TrainCallbacks resuming;
  resuming.resume = saved;
  resume.expect_same(resume.run(resuming), wanted, 7);
}

// A check takes long, and may be what is interrupted: it is made after the resumption.
TEST(TrainingState, ACheckThatIsInterruptedIsMadeLater) {
  auto module = make_net();
  const auto data = regression();
  auto options = some_options();
  options.check_every = 0.6;
  const auto run = [&](const TrainCallbacks& callbacks) {
    module = make_net();
    train(module, {}, data, no_ramp(), {}, options, callbacks);
    return module.attr("w").toTensor().clone();
  };
  int checks = 0;
  TrainCallbacks callbacks;
  callbacks.check = [&] {
    ++checks;
    return Check{1.0, 1.0};
  };
  const auto wanted = run(callbacks);
  const int all_checks = checks;
  for (const int stopped_at : {1, 2, all_checks}) {
    checks = 0;
    State saved;
    TrainCallbacks stopping = callbacks;
    stopping.check = [&]() -> Check {
      if (checks + 1 == stopped_at) {
        throw Interrupted("stopped");
      }
      ++checks;
      return {1.0, 1.0};
    };
    stopping.saves_at = [](SavePoint point) { return point == SavePoint::stopped; };
    stopping.save = [&](const State& state) { saved = state.copy(); };
    EXPECT_THROW(run(stopping), Interrupted);
    TrainCallbacks resuming = callbacks;
    resuming.resume = saved;
    EXPECT_TRUE(torch::equal(run(resuming), wanted)) << stopped_at;
    EXPECT_EQ(checks, all_checks) << stopped_at;
  }
}

// x w at a rate at which each step multiplies the error by -9 and more: it explodes. At an eighth
// of the rate it does not.
struct Exploding {
  torch::jit::Module module = make_module({{"w", torch::ones({1})}}, "  return x * self.w\n");
  TensorDataset data{{torch::ones({8, 1})}, torch::zeros({8, 1})};
  TrainOptions options = plain_options(Signal::mse);
  std::vector<Retry> retries;

  explicit Exploding(double rate, std::int64_t most) {
    options.learning_rate = rate;
    options.epochs = 400;
    options.retries = most;
  }
  void run() {
    TrainCallbacks callbacks;
    callbacks.on_retry = [this](const Retry& retry) { retries.push_back(retry); };
    train(module, {}, data, no_ramp(), {}, options, callbacks);
  }
};

TEST(Retries, GoBackToTheLastGoodStateAtHalfTheRate) {
  Exploding training(3.0, 3);  // w <- (1 - 2 rate) w
  training.run();
  ASSERT_GE(training.retries.size(), 1U);
  double rate = 3.0;
  for (const auto& retry : training.retries) {
    rate /= 2.0;
    EXPECT_EQ(retry.learning_rate, rate);
    EXPECT_LT(retry.back_to, retry.step);
    EXPECT_NE(retry.reason, "");
  }
  EXPECT_LT(std::abs(training.module.attr("w").toTensor().item<double>()), 1.0);
}

TEST(Retries, EndWithTheStepNamed) {
  Exploding training(1e3, 3);
  const auto message = diverged([&] { training.run(); });
  EXPECT_EQ(training.retries.size(), 3U);
  EXPECT_NE(message.find("Training diverged at step"), std::string::npos) << message;
  EXPECT_NE(message.find("after 3 retries"), std::string::npos) << message;
}

TEST(Retries, NoneUnlessAskedFor) {
  Exploding training(1e3, 0);
  EXPECT_NE(diverged([&] { training.run(); }), "");
  EXPECT_TRUE(training.retries.empty());
}

}  // namespace
}  // namespace actswap
