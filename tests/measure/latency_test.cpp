#include <actswap/base/error.h>
#include <actswap/measure/latency.h>

#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <torch/script.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdint>
#include <thread>
#include <vector>

namespace actswap {
namespace {

torch::jit::Module make_model(int repeats) {
  torch::jit::Module module("__torch__.m");
  module.register_attribute("training", c10::BoolType::get(), true);
  module.register_parameter("w", torch::eye(64), false);
  module.define("def forward(self, x):\n  for i in range(" + std::to_string(repeats) +
                "):\n    x = torch.matmul(x, self.w)\n  return x\n");
  return module;
}

TEST(Latency, OneRecordForEachModelInOrder) {
  const auto small = make_model(2);
  const auto large = make_model(200);
  for (const auto setting :
       {RuntimeSetting::plain, RuntimeSetting::frozen, RuntimeSetting::optimized}) {
    const auto latencies = measure_latency({small, large}, {torch::ones({64, 64})}, setting,
                                           {.rounds = 9, .warmup = 2});
    ASSERT_EQ(latencies.size(), 2U);
    EXPECT_EQ(latencies[0].ratio_to_first, 1.0);
    // A busy machine may make any ratio of the medians, and then says so.
    EXPECT_GT(latencies[1].minimum_ms, latencies[0].minimum_ms) << to_string(setting);
    EXPECT_TRUE(latencies[1].ratio_to_first > 1.0 || !latencies[1].doubt.empty())
        << to_string(setting);
    for (const auto& latency : latencies) {
      EXPECT_GT(latency.minimum_ms, 0.0);
      EXPECT_LE(latency.minimum_ms, latency.interval_ms.low);
      EXPECT_TRUE(latency.interval_ms.contains(latency.median_ms));
      EXPECT_TRUE(latency.ratio_interval.contains(latency.ratio_to_first));
    }
  }
  EXPECT_TRUE(small.is_training());  // the caller's module keeps its mode
}

TEST(Latency, AModelIsAboutAsFastAsItself) {
  const auto model = make_model(50);
  const auto latencies = measure_latency({model, model}, {torch::ones({64, 64})},
                                         RuntimeSetting::plain, {.rounds = 21});
  EXPECT_GT(latencies[1].ratio_to_first, 0.2);
  EXPECT_LT(latencies[1].ratio_to_first, 5.0);
}

// As many processes as there are processors, and two more.
class BusyMachine {
 public:
  BusyMachine() {
    const auto count = std::thread::hardware_concurrency() + 2;
    for (unsigned i = 0; i < count; ++i) {
      const auto id = ::fork();
      if (id == 0) {
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);  // where the test is killed
        for (std::atomic<std::uint64_t> turns = 0;; ++turns) {
        }
      }
      processes_.push_back(id);
    }
  }
  BusyMachine(const BusyMachine&) = delete;
  BusyMachine& operator=(const BusyMachine&) = delete;
  ~BusyMachine() {
    for (const auto id : processes_) {
      ::kill(id, SIGKILL);
      ::waitpid(id, nullptr, 0);
    }
  }

 private:
  std::vector<pid_t> processes_;
};

TEST(Latency, CannotBeTrustedOnABusyMachine) {
  const auto model = make_model(400);
  const BusyMachine busy;
  const auto latencies = measure_latency({model, model}, {torch::ones({64, 64})},
                                         RuntimeSetting::plain, {.rounds = 8, .warmup = 1});
  EXPECT_FALSE(latencies[1].doubt.empty());
}

TEST(Latency, AFrozenModelCanBeMeasured) {
  auto model = make_model(2);
  model.eval();
  const auto frozen = torch::jit::freeze(model);
  for (const auto setting :
       {RuntimeSetting::plain, RuntimeSetting::frozen, RuntimeSetting::optimized}) {
    EXPECT_EQ(measure_latency({frozen}, {torch::ones({64, 64})}, setting, {.rounds = 1}).size(),
              1U);
  }
}

TEST(Latency, OptionsAndInputsAreChecked) {
  const auto model = make_model(2);
  const auto run = [&](const torch::Tensor& input, const LatencyOptions& options) {
    measure_latency({model}, {input}, RuntimeSetting::plain, options);
  };
  const auto input = torch::ones({64, 64});
  EXPECT_THROW(run(input, {.rounds = 0}), UsageError);
  EXPECT_THROW(run(input, {.warmup = -1}), UsageError);
  EXPECT_THROW(run(torch::ones({3, 5}), {}), UsageError);
  EXPECT_TRUE(measure_latency({}, {input}, RuntimeSetting::plain).empty());
  EXPECT_EQ(to_string(RuntimeSetting::frozen), "frozen");
}

}  // namespace
}  // namespace actswap
