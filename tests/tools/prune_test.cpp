// actswap convert --prune and inspect --prune.
#include "scratch.h"

#include <actswap/data/load.h>
#include <actswap/graph/sites.h>
#include <actswap/pipeline/convert.h>

#include <nlohmann/json.hpp>

#include <cmath>
#include <cstdlib>

namespace tool_test {
namespace {

class Prune : public InScratch {
 protected:
  void SetUp() override {
    InScratch::SetUp();
    balanced_model().save(path("model.pt"));
    const auto [images, classes] = images_with_classes(192);
    write_tensors(path("data.pt"), {{"x", images}, {"y", classes}});
    write_tensors(path("inputs.pt"), {{"x", images}});
  }

  Words convert(const Words& more) const {
    Words words = {"convert",   "model.pt",           "-o", "out.pt", "--calibrate",
                   "inputs.pt", "--calibrate-passes", "2"};
    words.insert(words.end(), more.begin(), more.end());
    return words;
  }

  Words train(const Words& more) const {
    Words words = {"convert", "model.pt", "-o",      "out.pt",   "--train",
                   "data.pt", "--val",    "data.pt", "--epochs", "2",
                   "--batch", "32",       "--lr",    "0.001",    "--calibrate-passes",
                   "2"};
    words.insert(words.end(), more.begin(), more.end());
    return words;
  }

  nlohmann::json record() const {
    return nlohmann::json::parse(read_file(path("out.pt.run/run.json")));
  }
};

// What plain PyTorch says of the export: that it runs, trains, and how many parameters it has.
constexpr char kLoad[] =
    "import torch\n"
    "model = torch.jit.load('out.pt')\n"
    "model(torch.ones(2, 3, 8, 8)).sum().backward()\n"
    "print(sum(p.numel() for p in model.parameters()), file=open('count.txt', 'w'))\n";

TEST_F(Prune, ASmallerModelIsWrittenThatPlainPyTorchRuns) {
  const auto outcome = run_here(convert({"--prune", "0.4", "--val", "data.pt"}));
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  for (const auto* label :
       {"before  after", "multiplications", "parameters, pruned", "accuracy, before pruning",
        "accuracy, after pruning", "accuracy, after the joint fit", "verified"}) {
    EXPECT_TRUE(contains(outcome.out, label));
  }
  const auto run = record();
  const auto& pruning = run.at("pruning");
  EXPECT_EQ(pruning.at("budget").at("kind"), "multiplications");
  EXPECT_LT(pruning.at("multiplications").at("after").get<double>(),
            pruning.at("multiplications").at("before").get<double>());
  for (const auto* stage : {"before_pruning", "after_pruning", "after_joint_fit"}) {
    EXPECT_TRUE(pruning.at(stage).at("value").is_number()) << stage;
  }
  EXPECT_EQ(run.at("verified"), true);
  std::ofstream(path("load.py")) << kLoad;
  const auto command = "cd " + path("") + " && " + ACTSWAP_PYTHON + " -W ignore load.py";
  ASSERT_EQ(std::system(command.c_str()), 0);
  EXPECT_EQ(std::stod(read_file(path("count.txt"))),
            pruning.at("parameters").at("after").get<double>());
  EXPECT_EQ(run_here({"verify", "out.pt"}).code, 0);
}

TEST_F(Prune, ASmallerModelGoesToOnnx) {
  ASSERT_EQ(run_here(convert({"--prune", "0.4", "-q"})).code, 0);
  const auto command = "cd '" + path("") + "' && " + ACTSWAP_PYTHON + " " + ACTSWAP_SOURCE_DIR +
                       "/examples/onnx/export.py out.pt -o out.onnx --input 2x3x8x8 > said 2>&1";
  const int code = WEXITSTATUS(std::system(command.c_str()));
  if (code == 77) {
    GTEST_SKIP() << read_file(path("said"));
  }
  EXPECT_EQ(code, 0) << read_file(path("said"));
}

// The latency is measured, so only the way there is looked at.
TEST_F(Prune, ALatencyMayBeAskedFor) {
  const auto outcome = run_here(convert({"--prune-to", "0.97x", "--input", "64x3x8x8"}));
  if (outcome.code == 2) {  // other programs may keep the machine busy
    expect_failure(outcome, 2, {"to 0.97 of the latency", "the least that can be reached"});
    return;
  }
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  const auto pruning = record().at("pruning");
  EXPECT_EQ(pruning.at("budget").at("kind"), "latency");
  EXPECT_EQ(pruning.at("budget").at("value"), 0.97);
  EXPECT_LT(pruning.at("multiplications").at("after").get<double>(),
            pruning.at("multiplications").at("before").get<double>());
}

TEST_F(Prune, ANumberOfParametersIsKeptTo) {
  const auto whole = static_cast<double>(actswap::parameter_count(balanced_model()));
  const auto wanted = std::floor(0.6 * whole);
  const auto outcome = run_here(convert({"--prune-to", std::to_string(std::lround(wanted))}));
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  const auto parameters = record().at("pruning").at("parameters");
  EXPECT_EQ(parameters.at("before").get<double>(), whole);
  const auto exported = actswap::parameter_count(actswap::load(path("out.pt")).module);
  EXPECT_EQ(parameters.at("after").get<double>(), static_cast<double>(exported));
  EXPECT_LE(static_cast<double>(exported), wanted);
  EXPECT_GT(static_cast<double>(exported), 0.9 * wanted);
}

TEST_F(Prune, ATrainingGoesOnFromThere) {
  const auto outcome = run_here(train({"--prune", "0.4", "--loss", "distil+3*layers"}));
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_TRUE(contains(outcome.out, "accuracy, after training"));
  EXPECT_EQ(record().at("epochs").size(), 2U);
}

TEST_F(Prune, UnitsFadeOutWhileTheTrainingGoesOn) {
  for (const Words& more : {Words{"--loss", "distil+3*layers"}, Words{"--keep-activations"}}) {
    auto words = train({"--prune", "0.4", "--recipe", "calibrated-ramp", "--force"});
    words.insert(words.end(), more.begin(), more.end());
    const auto outcome = run_here(words);
    ASSERT_EQ(outcome.code, 0) << outcome.err;
    const auto run = record();
    EXPECT_EQ(run.at("verified"), true);
    EXPECT_EQ(run.at("pruning").at("parameters").at("after").get<double>(),
              static_cast<double>(actswap::parameter_count(actswap::load(path("out.pt")).module)));
  }
}

TEST_F(Prune, ActivationsMayStay) {
  const auto outcome = run_here(convert({"--prune", "0.3", "--keep-activations"}));
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_TRUE(contains(outcome.out, "0 of 3"));
  for (const auto& site : actswap::find_sites(actswap::load(path("out.pt")))) {
    EXPECT_EQ(site.activation.to_string(), "mish");
  }
  EXPECT_EQ(record().at("trained"), false);
}

TEST_F(Prune, InspectListsTheUnitsAndWhatStays) {
  const auto outcome = run_here({"inspect", "model.pt", "--prune", "--input", "2x3x8x8"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_TRUE(contains(outcome.out, "multiplications each"));
  EXPECT_TRUE(contains(outcome.out, "head: is an output of the model"));
  const auto json = nlohmann::json::parse(
      run_here({"inspect", "model.pt", "--prune", "--input", "2x3x8x8", "--json"}).out);
  EXPECT_GT(json.at("groups").size(), 0U);
  EXPECT_GT(json.at("groups").at(0).at("units").get<int>(), 1);
  EXPECT_EQ(json.at("stay").back().at("name"), "head");
}

TEST_F(Prune, BadRequestsAreRefused) {
  const std::vector<std::pair<Words, Words>> cases = {
      {{"--prune", "1"}, {"above 0 and below 1", "1"}},
      {{"--prune", "0"}, {"above 0 and below 1"}},
      {{"--prune", "0.9999"}, {"% can go"}},
      {{"--prune-to", "half"}, {"0.6x", "half"}},
      {{"--prune-to", "2x"}, {"below 1x"}},
      {{"--prune-to", "100M"}, {"already"}},
      {{"--prune", "0.5", "--prune-to", "0.5x"}, {"--prune and --prune-to"}},
      {{"--prune", "0.5", "--prune-keep", "*"}, {"nothing to prune"}},
      {{"--prune-keep", "head"}, {"no effect without a size to prune to"}},
      {{"--prune-round", "8"}, {"no effect without a size to prune to"}},
      {{"--keep-activations"}, {"no effect without a size to prune to"}},
  };
  for (const auto& [more, parts] : cases) {
    expect_failure(run_here(convert(more)), 2, parts);
  }
  const auto early = run_here(convert({"--prune", "0.5", "--prune-keep", "nowhere.*"}));
  expect_failure(early, 2, {"nowhere.*"});
  EXPECT_FALSE(contains(early.err, "calibrating")) << "said before anything long begins";
  expect_failure(run_here({"convert", "model.pt", "-o", "out.pt", "--prune", "0.5"}), 2,
                 {"no effect without a calibration"});
  expect_failure(run_here({"convert", "model.pt", "-o", "out.pt", "--prune", "0.5", "--train",
                           "data.pt", "--recipe", "ramp"}),
                 2, {"--prune", "a recipe that calibrates"});
  expect_failure(run_here(convert({"--prune", "0.5", "--keep-activations", "--to", "relu"})), 2,
                 {"--keep-activations", "--to"});
  expect_failure(run_here({"inspect", "model.pt", "--prune", "--to", "relu"}), 2, {"--to"});
  EXPECT_FALSE(std::filesystem::exists(path("out.pt")));
}

}  // namespace
}  // namespace tool_test
