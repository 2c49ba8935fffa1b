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
  expect_failure(run_here({"inspect", model, "--config", "typo.toml"}), 2,
                 {"tow", "did you mean 'to'"});
  expect_failure(run_here({"convert", model, "-o", "out.pt", "--config", "value.toml"}), 2,
                 {"epochs", "many"});
  EXPECT_EQ(files(), (Words{"typo.toml", "value.toml"}));
  write("none.toml", "to = \n");
  write("quote.toml", "to = \"relu\n");
  write("bytes.toml", std::string("to = \x01\x02\n"));
  expect_failure(run_here({"inspect", model, "--config", "none.toml"}), 2,
                 {"none.toml", "expected a value for 'to'"});
  expect_failure(run_here({"inspect", model, "--config", "quote.toml"}), 2,
                 {"quote.toml", "closing quote", "\"relu"});
  expect_failure(run_here({"inspect", model, "--config", "bytes.toml"}), 3,
                 {"bytes.toml", "bytes that are not text"});
}

TEST_F(Config, ASectionIsForItsSubcommand) {
  const auto model = model_file("scripted_module.pt");
  write("shared.toml",
        "to = \"relu6\"\n[inspect]\njson = true\n[convert]\nto = \"hard_mish\"\n"
        "output = \"converted.pt\"\n[eval]\nbatch = 8\n");
  const auto inspected = run_here({"inspect", model, "--config", "shared.toml"});
  ASSERT_EQ(inspected.code, 0) << inspected.err;
  EXPECT_EQ(Json::parse(inspected.out).at("sites").at(0).at("target"), "relu6");
  const auto converted = run_here({"convert", model, "--config", "shared.toml", "--json"});
  ASSERT_EQ(converted.code, 0) << converted.err;
  EXPECT_EQ(Json::parse(converted.out).at("sites").at(0).at("target"), "hard_mish");
  EXPECT_EQ(files(), (Words{"converted.pt", "shared.toml"}));
}

TEST_F(Config, ASectionThatIsNoSubcommandIsRefused) {
  const auto model = model_file("scripted_module.pt");
  write("empty.toml", "to = \"relu6\"\n[convret]\n");
  write("section.toml", "[convret]\nto = \"relu6\"\n");
  write("dotted.toml", "convret.to = \"relu6\"\n");
  for (const char* file : {"section.toml", "dotted.toml"}) {
    expect_failure(run_here({"inspect", model, "--config", file}), 2,
                   {file, "[convret]", "did you mean 'convert'"});
  }
}

// What a run writes beside its record.
TEST_F(Config, ARunWritesTheOneThatRepeatsIt) {
  write_images("data.pt", 256);
  const auto model = model_file("scripted_module.pt");
  const auto first = run_here({"convert",
                               model,
                               "-o",
                               "relu.pt",
                               "--train",
                               "data.pt",
                               "--site",
                               "stem*=hard_mish",
                               "--only",
                               "stem*",
                               "--only",
                               "cells.0*",
                               "--source",
                               "mish,aptx(1,0.5,0.5)",
                               "--epochs",
                               "0.5",
                               "--seed",
                               "3",
                               "--mean",
                               "0.1,0.2,0.3",
                               "--lr",
                               "0.001",
                               "--self-test=none"});
  ASSERT_EQ(first.code, 0) << first.err;
  const auto bytes = read_file(path("relu.pt"));
  std::filesystem::rename(path("relu.pt.run/config.toml"), path("again.toml"));
  std::filesystem::remove(path("relu.pt"));
  std::filesystem::remove_all(path("relu.pt.run"));
  const auto text = read_file(path("again.toml"));
  EXPECT_TRUE(contains(text, "[convert]\n"));
  EXPECT_TRUE(contains(text, "\ncalibrate-passes = ")) << "the time decides, so it is written down";
  const auto again = run_here({"convert", "--config", "again.toml"});
  ASSERT_EQ(again.code, 0) << again.err << text;
  const auto of = [&](const std::string& content) {
    std::istringstream stream(content);
    return torch::jit::load(stream);
  };
  const auto one = of(bytes);
  const auto other = of(read_file(path("relu.pt")));
  const auto others = other.named_parameters();
  auto at = others.begin();
  for (const auto& each : one.named_parameters()) {
    EXPECT_TRUE(torch::equal(each.value, (*at).value)) << each.name;
    ++at;
  }
}

TEST_F(Config, ADryRunNeedsNoOutput) {
  const auto model = model_file("scripted_module.pt");
  for (const char* subcommand : {"convert", "blend"}) {
    const auto outcome = run_here({subcommand, model, "--dry-run"});
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    EXPECT_TRUE(contains(outcome.out, "3 would be swapped"));
  }
  write("dry.toml", "dry-run = true\n");
  EXPECT_EQ(run_here({"convert", model, "--config", "dry.toml"}).code, 0);
  expect_failure(run_here({"convert", model, "--dry-run=false"}), 2, {"--output", "required"});
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
