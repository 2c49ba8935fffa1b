// A conversion that is stopped and resumed gives the same bytes; what does not fit is refused.
#include <actswap/base/error.h>
#include <actswap/checkpoint/state_file.h>
#include <actswap/pipeline/convert.h>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "models.h"

#include <sys/resource.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>

namespace actswap {
namespace {

std::string content(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

struct ResumedRun {
  ScratchFolder scratch;
  Model model = load(test_model("dropout_bn.pt"));
  PlanOptions planning = {};
  ConvertRequest request;
  std::vector<std::string> messages;

  ResumedRun() {
    torch::manual_seed(1);
    const auto images = torch::randn({48, 3, 8, 8});
    request.train_data = request.validation_data = std::make_shared<TensorDataset>(
        std::vector<torch::Tensor>{images}, torch::randint(0, 4, {48}));
    request.run_directory = scratch / "run";
    request.checkpoint_every = CheckpointInterval::parse("1steps");
    request.train.epochs = 1.5;
    request.train.batch_size = 16;
    request.train.learning_rate = LearningRate{.value = 1e-3};
    request.calibration.passes = 2;
    request.control = true;
    request.seeds = 2;
  }

  /// @param stops after so many questions whether to; 0: never. Gives the number of questions.
  int run(const std::string& output, int stops, bool resumes) {
    request.output = scratch / output;
    request.resumes = resumes;
    int asked = 0;
    ConvertCallbacks callbacks;
    callbacks.should_stop = [&] { return ++asked == stops; };
    callbacks.on_message = [&](const std::string& text) { messages.push_back(text); };
    convert(model, plan(model, planning), request, callbacks);
    return asked;
  }
  nlohmann::json record() const { return nlohmann::json::parse(content(scratch / "run/run.json")); }
  std::string refusal() {
    try {
      run("out.pt", 0, true);
    } catch (const UsageError& error) {
      return error.what();
    }
    return "";
  }
  /// A run that was stopped in its training.
  void stop_in_training() {
    const int all = run("whole.pt", 0, false);
    EXPECT_THROW(run("out.pt", all / 2, false), Interrupted);
    ASSERT_TRUE(std::filesystem::exists(scratch / "run/checkpoint-0"));
    ASSERT_TRUE(std::filesystem::exists(scratch / "run/checkpoint-1"));
  }
};

TEST(ResumedRun, GivesTheSameBytesWhereverItWasStopped) {
  ResumedRun setting;
  const int all = setting.run("whole.pt", 0, false);
  const auto wanted = content(setting.scratch / "whole.pt");
  ASSERT_GT(all, 30);
  for (int stop = 1; stop < all; stop += all / 5) {
    EXPECT_THROW(setting.run("out.pt", stop, false), Interrupted) << stop;
    EXPECT_EQ(setting.record().at("status"), "interrupted");
    EXPECT_FALSE(std::filesystem::exists(setting.scratch / "out.pt"));
    setting.run("out.pt", 0, true);
    EXPECT_TRUE(content(setting.scratch / "out.pt") == wanted) << stop;
    EXPECT_EQ(setting.record().at("status"), "done");
    EXPECT_FALSE(std::filesystem::exists(setting.scratch / "run/checkpoint-0"));
    std::filesystem::remove(setting.scratch / "out.pt");
  }
}

TEST(ResumedRun, ASearchGoesOnWithTheTrialsThatItLacks) {
  ResumedRun setting;
  setting.request.seeds = 1;
  setting.request.control = false;
  setting.request.recipe = Recipe::ramp;
  setting.request.calibration = {};
  setting.request.train.epochs = 4;
  setting.request.train.learning_rate = LearningRate{.kind = LearningRate::Kind::swept};
  const int all = setting.run("whole.pt", 0, false);  // most of it for the rate
  EXPECT_THROW(setting.run("out.pt", all / 2, false), Interrupted);
  const int left = setting.run("out.pt", 0, true);
  EXPECT_LT(left, 3 * all / 4);
  EXPECT_TRUE(content(setting.scratch / "out.pt") == content(setting.scratch / "whole.pt"));
}

// In the survey of the units, in the fit of what remains, in the training of the smaller model.
TEST(ResumedRun, APrunedModelIsCutInTheSameWayAgain) {
  ResumedRun setting;
  setting.request.prune.share = 0.4;
  setting.request.control = false;
  setting.request.seeds = 1;
  const int all = setting.run("whole.pt", 0, false);
  const auto wanted = content(setting.scratch / "whole.pt");
  auto stages = setting.record().at("pruning");
  stages.erase("seconds");
  stages.at("refit").erase("seconds");
  for (int stop = 1; stop < all; stop += all / 6) {
    EXPECT_THROW(setting.run("out.pt", stop, false), Interrupted) << stop;
    setting.run("out.pt", 0, true);
    EXPECT_TRUE(content(setting.scratch / "out.pt") == wanted) << stop;
    auto again = setting.record().at("pruning");
    again.erase("seconds");
    again.at("refit").erase("seconds");
    EXPECT_EQ(again, stages) << stop;
    std::filesystem::remove(setting.scratch / "out.pt");
  }
}

TEST(ResumedRun, UnitsThatFadeGoOnWhereTheyWere) {
  ResumedRun setting;
  setting.request.prune.share = 0.4;
  setting.request.recipe = Recipe::calibrated_ramp;
  setting.request.control = false;
  setting.request.seeds = 1;
  const int all = setting.run("whole.pt", 0, false);
  const auto wanted = content(setting.scratch / "whole.pt");
  for (int stop = all / 6; stop < all; stop += all / 5) {
    EXPECT_THROW(setting.run("out.pt", stop, false), Interrupted) << stop;
    setting.run("out.pt", 0, true);
    EXPECT_TRUE(content(setting.scratch / "out.pt") == wanted) << stop;
    std::filesystem::remove(setting.scratch / "out.pt");
  }
}

TEST(ResumedRun, AnotherShareToPruneIsRefused) {
  ResumedRun setting;
  setting.request.prune.share = 0.4;
  setting.stop_in_training();
  setting.request.prune.share = 0.5;
  EXPECT_NE(setting.refusal().find("--prune"), std::string::npos);
}

// Each of several interruptions leaves less to do. (The search for the rate of a joint fit begins
// again each time.)
TEST(ResumedRun, IsStoppedAgainAndAgain) {
  ResumedRun setting;
  const int all = setting.run("whole.pt", 0, false);
  int stops = 0;
  bool is_done = false;
  for (int i = 0; i < 40 && !is_done; ++i) {
    try {
      setting.run("out.pt", all / 2, i > 0);
      is_done = true;
    } catch (const Interrupted&) {
      ++stops;
    }
  }
  EXPECT_TRUE(is_done);
  EXPECT_GE(stops, 2);
  EXPECT_TRUE(content(setting.scratch / "out.pt") == content(setting.scratch / "whole.pt"));
}

TEST(ResumedRun, TheInterruptionSaysHowToGoOn) {
  ResumedRun setting;
  try {
    setting.run("out.pt", 5, false);
    FAIL() << "it was not stopped";
  } catch (const Interrupted& stop) {
    EXPECT_NE(
        std::string(stop.what()).find("actswap convert --resume " + (setting.scratch / "run")),
        std::string::npos)
        << stop.what();
  }
}

TEST(ResumedRun, ADamagedCheckpointFallsBackToTheOther) {
  for (const char* damaged : {"run/checkpoint-0", "run/checkpoint-1"}) {
    ResumedRun setting;
    setting.stop_in_training();
    auto text = content(setting.scratch / damaged);
    text[text.size() / 2] ^= 1;
    std::ofstream(setting.scratch / damaged, std::ios::binary) << text;
    setting.messages.clear();
    setting.run("out.pt", 0, true);
    EXPECT_TRUE(content(setting.scratch / "out.pt") == content(setting.scratch / "whole.pt"));
    EXPECT_TRUE(std::ranges::any_of(setting.messages, [&](const std::string& text_of_message) {
      return text_of_message.starts_with("warning: ") &&
             text_of_message.find(damaged) != std::string::npos;
    }));
  }
}

TEST(ResumedRun, TwoDamagedCheckpointsAreAnError) {
  ResumedRun setting;
  setting.stop_in_training();
  for (const char* name : {"run/checkpoint-0", "run/checkpoint-1"}) {
    std::ofstream(setting.scratch / name, std::ios::binary) << "nothing";
  }
  EXPECT_THROW(setting.run("out.pt", 0, true), FileError);
}

TEST(ResumedRun, WhatIsAnotherIsRefusedByName) {
  ResumedRun setting;
  setting.stop_in_training();
  const auto expect = [&](const std::string& name) {
    const auto message = setting.refusal();
    EXPECT_NE(message.find("Cannot resume"), std::string::npos) << message;
    EXPECT_NE(message.find(name), std::string::npos) << message;
  };
  const auto request = setting.request;
  setting.request.train.learning_rate = LearningRate{.value = 2e-3};
  expect("--lr");
  setting.request = request;
  setting.request.train.epochs = 3.0;
  expect("--epochs");
  setting.request = request;
  setting.request.seed = 1;
  expect("--seed");
  setting.request = request;
  setting.request.train_data = std::make_shared<TensorDataset>(
      std::vector<torch::Tensor>{torch::zeros({48, 3, 8, 8})}, torch::zeros({48}, torch::kInt64));
  expect("data");
  setting.request = request;
  setting.planning.to = "hardswish";
  expect("the target of the site");
  setting.planning = {};
  setting.model = load(test_model("scripted_module.pt"));
  expect("the model");
  setting.model = load(test_model("dropout_bn.pt"));
  setting.run("out.pt", 0, true);
  EXPECT_TRUE(content(setting.scratch / "out.pt") == content(setting.scratch / "whole.pt"));
}

TEST(RunRecord, SaysWhyARunFailed) {
  ResumedRun setting;
  setting.request.max_drop = 0.0;
  setting.request.train.learning_rate = LearningRate{.value = 1e6};
  setting.request.train.retries = 0;
  EXPECT_THROW(setting.run("out.pt", 0, false), Error);
  EXPECT_EQ(setting.record().at("status"), "failed");
  EXPECT_NE(setting.record().at("status_reason").get<std::string>(), "");
}

TEST(RunRecord, MetricsAreALineEach) {
  ResumedRun setting;
  setting.run("out.pt", 0, false);
  std::ifstream file(setting.scratch / "run/metrics.jsonl");
  std::map<std::string, int> events;
  std::string last;
  for (std::string line; std::getline(file, line);) {
    const auto json = nlohmann::json::parse(line);
    ++events[json.at("event").get<std::string>()];
    EXPECT_TRUE(json.at("phase").is_string() || json.at("phase").is_null());
    const auto time = json.at("time").get<std::string>();
    EXPECT_GE(time, last);
    last = time;
  }
  EXPECT_EQ(events["step"], 2 * 2 * 5);  // two seeds, with a control each, of 1.5 epochs of 3
  EXPECT_EQ(events["epoch"], 2 * 2 * 2);
  EXPECT_EQ(events["status"], 2);
  for (const char* event : {"phase", "metric", "sites", "passes", "message"}) {
    EXPECT_GT(events[event], 0) << event;
  }
}

// A limit on the size of files makes each write fail in turn, the first that does not fit. What was
// written before is whole, and the run goes on from there.
TEST(RunRecord, AWriteThatFailsLeavesTheLastCheckpointWhole) {
  ResumedRun setting;
  setting.run("whole.pt", 0, false);
  const auto wanted = content(setting.scratch / "whole.pt");
  struct rlimit before = {};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  int with_checkpoints = 0;
  for (const rlim_t limit : {rlim_t{1'000}, rlim_t{15'000}, rlim_t{25'000}, rlim_t{40'000},
                             rlim_t{60'000}, rlim_t{80'000}}) {
    setting.request.run_directory = setting.scratch / ("run" + std::to_string(limit));
    std::string failure;
    const struct rlimit low = {limit, before.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &low);
    try {
      setting.run("out.pt", 0, false);
    } catch (const FileError& error) {
      failure = error.what();
    }
    ::setrlimit(RLIMIT_FSIZE, &before);
    const bool is_resumed =
        std::filesystem::exists(*setting.request.run_directory + "/checkpoint-0");
    if (!failure.empty() && is_resumed) {
      ++with_checkpoints;
      EXPECT_NE(failure.find("is whole"), std::string::npos) << failure;
    }
    if (!failure.empty()) {
      setting.run("out.pt", 0, is_resumed);
    }
    EXPECT_TRUE(content(setting.scratch / "out.pt") == wanted) << limit << ": " << failure;
    std::filesystem::remove(setting.scratch / "out.pt");
  }
  std::signal(SIGXFSZ, handler);
  EXPECT_GE(with_checkpoints, 1);
}

TEST(CheckpointInterval, IsReadAsItIsWritten) {
  for (const char* text : {"10min", "30s", "120min", "500steps", "0"}) {
    EXPECT_EQ(to_string(CheckpointInterval::parse(text)), text);
  }
  EXPECT_EQ(CheckpointInterval::parse("2h").seconds, 7200.0);
  EXPECT_EQ(CheckpointInterval::parse("1.5min").seconds, 90.0);
  for (const char* text : {"", "10", "min", "-1s", "1.5steps", "10 min", "nan s", "1e99h"}) {
    EXPECT_THROW(CheckpointInterval::parse(text), UsageError) << text;
  }
}

}  // namespace
}  // namespace actswap
