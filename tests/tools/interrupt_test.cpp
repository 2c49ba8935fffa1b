// Ctrl-C and kill: the exit code of a signal, and nothing half done left behind.
#include "scratch.h"

#include <nlohmann/json.hpp>

#include <chrono>
#include <regex>
#include <thread>

namespace tool_test {
namespace {

class Interrupt : public InScratch {
 protected:
  // Far more epochs than the test waits for.
  Words endless_training() const {
    write_images("data.pt", 32);
    return {"convert",  model_file("scripted_module.pt"),
            "-o",       "out.pt",
            "--train",  "data.pt",
            "--epochs", "1000000"};
  }
};

TEST_F(Interrupt, TrainingEndsInOrder) {
  struct Case {
    int signal;
    int code;
  };
  for (const auto& [signal, code] : {Case{SIGINT, 130}, Case{SIGTERM, 143}, Case{SIGHUP, 129}}) {
    const auto words = endless_training();
    write("out.pt", "what was there before");
    auto options = here();
    options.seconds = 30.0;
    Process process(words, options);
    ASSERT_TRUE(process.wait_for("retarget: epoch 2,"));
    process.send(signal);
    const auto outcome = process.finish();
    expect_failure(outcome, code, {"error: "});
    EXPECT_TRUE(std::regex_search(outcome.err, std::regex("interrupted|stopped"))) << outcome.err;
    EXPECT_TRUE(contains(outcome.err, "of 1000000 steps"));
    EXPECT_EQ(read_file(path("out.pt")), "what was there before");
    EXPECT_TRUE(contains(outcome.err, "to go on: actswap convert --resume out.pt.run"));
    // The record of the run and its checkpoints, whole, and no temporary file.
    EXPECT_EQ(files(),
              (Words{"data.pt", "out.pt", "out.pt.run/checkpoint-0", "out.pt.run/checkpoint-1",
                     "out.pt.run/config.toml", "out.pt.run/events.out.tfevents.actswap",
                     "out.pt.run/metrics.jsonl", "out.pt.run/report.html", "out.pt.run/run.json"}));
    const auto json = nlohmann::json::parse(read_file(path("out.pt.run/run.json")), nullptr, false);
    ASSERT_FALSE(json.is_discarded());
    EXPECT_GE(json.at("epochs").size(), 2U);
    EXPECT_EQ(json.at("verified"), false);
    EXPECT_EQ(json.at("status"), "interrupted");
  }
}

TEST_F(Interrupt, TheErrorStandsOnALineOfItsOwnOnATerminal) {
  torch::manual_seed(1);
  write_tensors(path("data.pt"), {{"x", torch::randn({20000, 3, 8, 8})}});
  auto options = here();
  options.columns = 120;
  options.seconds = 30.0;
  // One long epoch: the bar stands on the screen when the signal comes.
  Process process({"convert", model_file("scripted_module.pt"), "-o", "out.pt", "--train",
                   "data.pt", "--batch", "2"},
                  options);
  ASSERT_TRUE(process.wait_for(" left"));
  process.send(SIGINT);
  const auto outcome = process.finish();
  EXPECT_EQ(outcome.code, 130);
  // What the terminal shows on the line of the error: all since it was last erased.
  const auto at = outcome.err.rfind("error");
  ASSERT_NE(at, std::string::npos) << outcome.err;
  const auto erased = outcome.err.rfind("\033[K", at);
  const auto ended = outcome.err.rfind('\n', at);
  const auto begin = ended == std::string::npos ? erased : std::max(erased, ended);
  const auto line = outcome.err.substr(begin, at - begin);
  EXPECT_EQ(line.find("left"), std::string::npos) << line;
  EXPECT_EQ(line.find("epoch"), std::string::npos) << line;
}

// Nobody asks for a signal in the middle of a forward.
TEST_F(Interrupt, ALongForwardEndsWithTheFirstSignal) {
  torch::jit::Module module("__torch__.endless");
  module.register_attribute("training", c10::BoolType::get(), false);
  module.register_parameter("w", torch::eye(8), false);
  module.define(
      "def forward(self, x):\n"
      "  for i in range(1000000000):\n"
      "    x = torch.matmul(x, self.w)\n"
      "  return torch.silu(x)\n");
  module.save(path("endless.pt"));
  write_tensors(path("data.pt"), {{"x", torch::ones({8, 8})}});
  const std::vector<Words> calls = {
      {"convert", "endless.pt", "-o", "out.pt", "--input", "8x8"},
      {"convert", "endless.pt", "-o", "out.pt", "--calibrate", "data.pt"},
      {"blend", "endless.pt", "-o", "out.pt", "--input", "8x8"},
      {"bench", "endless.pt", "--input", "8x8"}};
  auto options = here();
  options.seconds = 20.0;
  for (const auto& call : calls) {
    Process process(call, options);
    std::this_thread::sleep_for(std::chrono::seconds(3));
    const auto begin = std::chrono::steady_clock::now();
    process.send(SIGINT);
    const auto outcome = process.finish();
    const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - begin;
    expect_failure(outcome, 130, {"error: stopped by signal 2"});
    EXPECT_LT(taken.count(), 5.0) << ::testing::PrintToString(call);
  }
  EXPECT_EQ(files(),
            (Words{"data.pt", "endless.pt", "out.pt.run/metrics.jsonl", "out.pt.run/run.json"}))
      << "the record of the run that was begun";
}

TEST_F(Interrupt, ABenchmarkEnds) {
  auto options = here();
  options.seconds = 15.0;
  Process process(
      {"bench", model_file("scripted_module.pt"), "--input", "2x3x8x8", "--rounds", "1000000000"},
      options);
  // It says nothing while it measures.
  std::this_thread::sleep_for(std::chrono::seconds(2));
  process.send(SIGINT);
  const auto outcome = process.finish();
  EXPECT_EQ(outcome.code, 130);
}

// A minute of measuring, of which the test waits for a few seconds.
TEST_F(Interrupt, APlainSwapEndsWhileItMeasures) {
  torch::jit::Module module("__torch__.slow");
  module.register_attribute("training", c10::BoolType::get(), false);
  module.register_parameter("w", torch::eye(128), false);
  module.define(
      "def forward(self, x):\n"
      "  for i in range(3000):\n"
      "    x = torch.matmul(x, self.w)\n"
      "  return torch.silu(x)\n");
  module.save(path("slow.pt"));
  write_tensors(path("data.pt"),
                {{"x", torch::ones({20000, 128})}, {"y", torch::zeros({20000}, torch::kInt64)}});
  auto options = here();
  options.seconds = 15.0;
  Process process({"convert", "slow.pt", "-o", "out.pt", "--val", "data.pt"}, options);
  ASSERT_TRUE(process.wait_for("measuring the original"));
  process.send(SIGINT);
  const auto outcome = process.finish();
  expect_failure(outcome, 130, {"error: "});
  EXPECT_EQ(files(), (Words{"data.pt", "slow.pt"}));
}

}  // namespace
}  // namespace tool_test
