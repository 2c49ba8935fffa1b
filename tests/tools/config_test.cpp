// Options from a file: --config.
#include "scratch.h"

#include <nlohmann/json.hpp>

namespace tool_test {
namespace {

using Json = nlohmann::json;

class Config : public InScratch {};

TEST_F(Config, InspectReadsIt) {
  write("swap.toml", "to = \"hard_mish\"\nkeep = [\"cells.0*\"]\njson = true\n");
  const auto outcome =
      run_here({"inspect", model_file("scripted_module.pt"), "--config", "swap.toml"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  const auto json = Json::parse(outcome.out, nullptr, false);
  ASSERT_FALSE(json.is_discarded()) << outcome.out;
  const auto& sites = json.at("sites");
  ASSERT_EQ(sites.size(), 3U);
  EXPECT_EQ(sites[0].at("target"), "hard_mish");
  EXPECT_EQ(sites[1].at("selected"), false);
  EXPECT_EQ(sites[1].at("reason"), "kept by --keep");
  EXPECT_EQ(sites[2].at("target"), "hard_mish");
}

TEST_F(Config, ConvertReadsItAndTheCommandLineWins) {
  write_images("data.pt", 16);
  write("swap.toml",
        "to = \"hard_mish\"\noutput = \"from_file.pt\"\ntrain = \"data.pt\"\nepochs = 2\n"
        "batch = 8\nloss = \"cross-entropy\"\nlr = 0.001\nseed = 7\n");
  const auto outcome = run_here({"convert", model_file("scripted_module.pt"), "--config",
                                 "swap.toml", "--json", "--batch", "4"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  const auto json = Json::parse(outcome.out);
  EXPECT_EQ(json.at("output"), "from_file.pt");
  EXPECT_EQ(json.at("sites").at(0).at("target"), "hard_mish");
  const auto& training = json.at("training");
  EXPECT_EQ(training.at("epochs"), 2.0);
  EXPECT_EQ(training.at("loss"), "cross-entropy");
  EXPECT_EQ(training.at("learning_rate"), 0.001);
  EXPECT_EQ(training.at("seed"), 7);
  EXPECT_EQ(training.at("batch_size"), 4);
  EXPECT_TRUE(std::filesystem::exists(path("from_file.pt")));
}

TEST_F(Config, MistakesInItAreSaid) {
  const auto model = model_file("scripted_module.pt");
  write("typo.toml", "tow = \"hard_mish\"\n");
  write("value.toml", "epochs = \"many\"\n");
  expect_failure(run_here({"inspect", model, "--config", "missing.toml"}), 3, {"missing.toml"});
  expect_failure(run_here({"inspect", model, "--config", "typo.toml"}), 2, {"tow"});
  expect_failure(run_here({"convert", model, "-o", "out.pt", "--config", "value.toml"}), 2,
                 {"epochs", "many"});
  EXPECT_EQ(files(), (Words{"typo.toml", "value.toml"}));
}

TEST_F(Config, ASectionIsRefused) {
  const auto model = model_file("scripted_module.pt");
  write("empty.toml", "to = \"relu6\"\n[convert]\n");
  write("section.toml", "[convert]\nto = \"relu6\"\n");
  write("dotted.toml", "convert.to = \"relu6\"\n");
  for (const char* file : {"empty.toml", "section.toml", "dotted.toml"}) {
    expect_failure(run_here({"inspect", model, "--config", file}), 2,
                   {file, "no sections", "[convert]"});
  }
}

TEST_F(Config, AModelIsGivenOnce) {
  const auto model = model_file("scripted_module.pt");
  write("model.toml", "model = \"" + model + "\"\nto = \"relu6\"\n");
  EXPECT_EQ(run_here({"inspect", "--config", "model.toml", "--to", "relu"}).code, 0);
  for (const Words& words :
       {Words{"inspect", "another.pt", "--config", "model.toml"},
        Words{"inspect", "--to", "relu", "-q", "another.pt", "--config=model.toml"}}) {
    expect_failure(run_here(words), 2, {"model.toml", "'model'", "another.pt"});
  }
}

TEST_F(Config, WhatIsNoConfigurationIsRefused) {
  const auto model = model_file("scripted_module.pt");
  std::filesystem::create_directories(path("folder"));
  write("nested.toml", "config = \"nested.toml\"\n");
  expect_failure(run_here({"inspect", model, "--config", "folder"}), 3, {"folder", "TOML"});
  expect_failure(run_here({"inspect", model, "--config", "nested.toml"}), 2, {"config"});
}

TEST_F(Config, AnAttachedShortOptionWinsToo) {
  write("output.toml", "output = \"from_file.pt\"\n");
  ASSERT_EQ(run_here({"convert", model_file("scripted_module.pt"), "-oshort.pt", "--config",
                      "output.toml", "-q"})
                .code,
            0);
  EXPECT_EQ(files(), (Words{"output.toml", "short.pt"}));
}

}  // namespace
}  // namespace tool_test
