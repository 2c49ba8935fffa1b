// How much memory the command takes.
#include "scratch.h"

#include <torch/script.h>

#include <string>

namespace tool_test {
namespace {

class Memory : public InScratch {
 protected:
  // Eight channels of 64 x 64 after each of four convolutions: 128 KiB an example.
  void write_network() {
    torch::jit::Module module("Network");
    std::string code = "def forward(self, x):\n";
    for (int i = 0; i < 4; ++i) {
      const auto name = "w" + std::to_string(i);
      module.register_parameter(name, torch::randn({8, i == 0 ? 1 : 8, 3, 3}) / 5.0, false);
      module.register_parameter(name + "b", torch::zeros({8}), false);
      code += "    x = torch.silu(torch.conv2d(x, self." + name + ", self." + name +
              "b, [1, 1], [1, 1]))\n";
    }
    module.define(code + "    return x.mean([2, 3])\n");
    module.save(path("network.pt"));
  }

  long peak(const Words& more) {
    Words words = {"convert", "network.pt", "-o", "out.pt", "--force", "--epochs", "0", "--json"};
    words.insert(words.end(), more.begin(), more.end());
    const auto outcome = run_here(words);
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    return outcome.peak_kilobytes;
  }
};

// 192 MiB of values would be in the middle of both models for all inputs together.
TEST_F(Memory, ACalibrationKeepsToWhatItIsGranted) {
  write_network();
  const auto data = torch::randn({768, 1, 64, 64});
  write_tensors(path("data.pt"), {{"x", data}});
  // The data, and a calibration on a few examples: what LibTorch's libraries take for the code that
  // a calibration runs differs between processors by more than the bound leaves.
  const auto plain =
      peak({"--calibrate", "data.pt", "--calibrate-passes", "0", "--calibrate-inputs", "8"});
  ASSERT_GT(plain, 0);
  const auto beside = [&](const std::string& granted) {
    return peak({"--calibrate", "data.pt", "--calibrate-passes", "0", "--calibrate-memory",
                 granted}) -
           plain;
  };
  EXPECT_LT(beside("130MB"), 130000);
  EXPECT_GT(beside("1GB"), 192 * 1024) << "the test's network is too small to show anything";
}

TEST_F(Memory, TheGrantIsASize) {
  write_network();
  write_tensors(path("data.pt"), {{"x", torch::randn({8, 1, 64, 64})}});
  const auto with = [&](const std::string& granted) {
    return run_here({"convert", "network.pt", "-o", "out.pt", "--calibrate", "data.pt",
                     "--calibrate-memory", granted});
  };
  expect_failure(with("much"), 2, {"--calibrate-memory"});
  expect_failure(with("-1"), 2, {"memory"});
}

}  // namespace
}  // namespace tool_test
