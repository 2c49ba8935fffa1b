// Models that are special when they run, through the command: random, with gradients in their
// forward, that count, print, raise; and what the files hold that come out.
#include "scratch.h"

#include <torch/csrc/jit/serialization/pickle.h>
#include <nlohmann/json.hpp>

namespace tool_test {
namespace {

using Json = nlohmann::json;

class Running : public InScratch {
 protected:
  void SetUp() override {
    InScratch::SetUp();
    torch::manual_seed(1);
    rows_ = torch::randn({48, 6});
    write_tensors(path("x.pt"), {{"x", rows_}});
  }

  torch::jit::Module loaded(const std::string& name) const { return torch::jit::load(path(name)); }

  std::string self_test(const std::string& name) const {
    torch::jit::ExtraFilesMap extra = {{"actswap/self_test.pt", ""}};
    torch::jit::load(path(name), c10::nullopt, extra);
    return extra["actswap/self_test.pt"];
  }

  torch::Tensor rows_;
};

TEST_F(Running, RandomModelsAreConvertedAndVerified) {
  for (const char* name : {"noisy", "dropping", "traced_in_train_mode"}) {
    const auto model = model_file(std::string(name) + ".pt");
    const auto outcome = run_here({"convert", model, "-o", "out.pt", "--input", "8x6", "--json"});
    ASSERT_EQ(outcome.code, 0) << name << outcome.err;
    const auto json = Json::parse(outcome.out);
    EXPECT_EQ(json.at("verified"), true) << name << json.at("reason");
    EXPECT_EQ(json.at("max_abs_diff"), 0.0) << name;
    EXPECT_EQ(json.at("random"), true) << name;
    EXPECT_TRUE(contains(outcome.err, "draws random numbers in eval mode")) << name;
    EXPECT_EQ(run_here({"verify", "out.pt"}).code, 0) << name;
    const auto compared = run_here({"verify", model, "--against", model, "--input", "8x6"});
    EXPECT_EQ(compared.code, 0) << name << compared.err;
    EXPECT_TRUE(contains(compared.out, "on the same random numbers"));
  }
  const auto outcome = run_here({"convert", model_file("traced_in_train_mode.pt"), "-o", "out.pt"});
  EXPECT_TRUE(contains(outcome.err, "always in train mode")) << outcome.err;
  EXPECT_TRUE(contains(outcome.out, "random numbers"));
  EXPECT_TRUE(contains(run_here({"inspect", model_file("traced_in_train_mode.pt")}).out,
                       "always in train mode"));
}

TEST_F(Running, ModelsThatTakeGradientsAreRunWithThem) {
  const auto model = model_file("gradient.pt");
  const auto calls =
      run_all({{"convert", model, "-o", "out.pt", "--input", "5x6", "--json"},
               {"convert", model, "-o", "fitted.pt", "--calibrate", "x.pt", "--json"},
               {"inspect", model, "--input", "5x6", "--json"},
               {"bench", model, "--input", "5x6", "--rounds", "2"},
               {"convert", model, "-o", "val.pt", "--val", "x.pt", "--json"},
               {"sensitivity", model, "--val", "x.pt"},
               {"blend", model, "-o", "blended.pt", "--input", "5x6", "--json"}});
  for (const auto& each : calls) {
    EXPECT_EQ(each.code, 0) << each.err;
  }
  EXPECT_EQ(Json::parse(calls[0].out).at("verified"), true);
  EXPECT_EQ(Json::parse(calls[1].out).at("verified"), true);
  EXPECT_EQ(Json::parse(calls[1].out).at("calibration").at("sites").size(), 1U);
  EXPECT_EQ(Json::parse(calls[2].out).at("sites").at(0).at("calls"), 1);
  EXPECT_EQ(run_here({"verify", "out.pt"}).code, 0);
  EXPECT_EQ(run_here({"verify", model, "--against", model, "--input", "5x6"}).code, 0);
  EXPECT_EQ(run_here({"verify", "out.pt", "--against", model, "--input", "5x6"}).code, 4);
}

// Measuring and calibrating change no buffer.
TEST_F(Running, CallsThatTheCommandMakesAreNotCounted) {
  const auto model = model_file("counting.pt");
  write_tensors(path("xy.pt"), {{"x", rows_}, {"y", rows_ * 0.5}});
  const std::vector<Words> options = {
      {},
      {"--input", "3x6"},
      {"--val", "x.pt"},
      {"--val", "xy.pt", "--max-drop", "1000"},
      {"--calibrate", "x.pt", "--val", "xy.pt"},
      {"--val", "xy.pt", "--plan-by-sensitivity", "--max-drop", "1000"}};
  for (const auto& more : options) {
    Words words = {"convert", model, "-o", "out.pt"};
    words.insert(words.end(), more.begin(), more.end());
    const auto outcome = run_here(words);
    ASSERT_EQ(outcome.code, 0) << outcome.err;
    EXPECT_EQ(loaded("out.pt").attr("calls").toTensor().item<float>(), 0.0F)
        << ::testing::PrintToString(more);
  }
  // A training counts its steps, 48 / 8 of them, and nothing else: no check, no original.
  const auto trained = run_here({"convert",    model,     "-o",       "out.pt",        "--train",
                                 "x.pt",       "--batch", "8",        "--epochs",      "1",
                                 "--average",  "0",       "--recipe", "hard",          "--loss",
                                 "distil-mse", "--val",   "x.pt",     "--check-every", "0.5"});
  ASSERT_EQ(trained.code, 0) << trained.err;
  EXPECT_EQ(loaded("out.pt").attr("calls").toTensor().item<float>(), 6.0F);
}

TEST_F(Running, WhatAModelPrintsIsNoResult) {
  const auto outcome =
      run_here({"convert", model_file("printing.pt"), "-o", "out.pt", "--input", "3x6", "--json"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(Json::parse(outcome.out).at("verified"), true);
  EXPECT_TRUE(contains(outcome.err, "rows: 3"));
}

TEST_F(Running, WhatAModelRaisesIsShown) {
  const auto model = model_file("raising.pt");
  expect_failure(run_here({"convert", model, "-o", "out.pt", "--input", "3x6"}), 2,
                 {"ValueError: expected 4 rows", "[3, 6]"});
  expect_failure(run_here({"bench", model, "--input", "3x6"}), 2, {"expected 4 rows"});
  expect_failure(run_here({"convert", model, "-o", "out.pt", "--calibrate", "x.pt"}), 2,
                 {"expected 4 rows"});
  EXPECT_EQ(run_here({"convert", model, "-o", "out.pt", "--input", "4x6"}).code, 0);
}

TEST_F(Running, NothingFiniteIsNotVerifiedAndPassesNoGate) {
  const auto model = model_file("nothing_finite.pt");
  const auto outcome = run_here({"convert", model, "-o", "out.pt", "--input", "3x6", "--json"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(Json::parse(outcome.out).at("verified"), false);
  EXPECT_TRUE(contains(outcome.err, "not verified: no finite output was compared"));
  const auto compared = run_here({"verify", model, "--against", model, "--input", "3x6"});
  EXPECT_EQ(compared.code, 4);
  EXPECT_TRUE(contains(compared.err, "cannot be verified: no finite output"));
  write_tensors(path("classes.pt"), {{"x", rows_}, {"y", torch::arange(48) % 6}});
  expect_failure(
      run_here({"convert", model, "-o", "gated.pt", "--val", "classes.pt", "--max-drop", "1"}), 5,
      {"is no finite number"});
  EXPECT_FALSE(std::filesystem::exists(path("gated.pt")));
}

// Equal infinities are no error, neither to the calibration nor in the agreement.
TEST_F(Running, MaskedOutputsAreCalibrated) {
  const auto outcome = run_here({"convert", model_file("masked.pt"), "-o", "out.pt", "--calibrate",
                                 "x.pt", "--val", "x.pt", "--json"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  const auto json = Json::parse(outcome.out);
  EXPECT_EQ(json.at("verified"), true);
  EXPECT_EQ(outcome.err.find("taken back"), std::string::npos) << outcome.err;
  const auto& agreement = json.at("agreement").at("retargeted");
  ASSERT_TRUE(agreement.at("relative_error").is_number());
  EXPECT_LT(agreement.at("relative_error"), 0.1);
  EXPECT_GT(agreement.at("mean_cosine"), 0.9);
}

TEST_F(Running, TheOriginalIsOverwrittenByForceAlone) {
  std::filesystem::copy_file(model_file("scripted_module.pt"), path("net.pt"));
  std::filesystem::create_symlink("net.pt", path("link.pt"));
  std::filesystem::create_hard_link(path("net.pt"), path("hard.pt"));
  const auto before = read_file(path("net.pt"));
  for (const char* output : {"net.pt", "./net.pt", "link.pt", "hard.pt"}) {
    for (const char* subcommand : {"convert", "blend"}) {
      expect_failure(run_here({subcommand, "net.pt", "-o", output}), 2, {"overwritten", "--force"});
    }
  }
  EXPECT_EQ(read_file(path("net.pt")), before);
  // Nor are data.
  for (const char* option : {"--val", "--calibrate", "--train", "--input"}) {
    expect_failure(run_here({"convert", model_file("counting.pt"), "-o", "x.pt", option, "x.pt"}),
                   2, {"'x.pt'", "overwritten"});
  }
  ASSERT_EQ(run_here({"blend", "net.pt", "-o", "blended.pt"}).code, 0);
  expect_failure(run_here({"collapse", "blended.pt", "-o", "blended.pt"}), 2, {"--force"});
  EXPECT_EQ(run_here({"collapse", "blended.pt", "-o", "blended.pt", "--force"}).code, 0);
  EXPECT_EQ(run_here({"convert", "net.pt", "-o", "net.pt", "--force"}).code, 0);
  EXPECT_NE(read_file(path("net.pt")), before);
}

// The rows of the data are in the file where that is asked for, and only there.
TEST_F(Running, TheSelfTestHoldsDataWhereThatIsAskedFor) {
  const auto model = model_file("counting.pt");
  const auto holds_data = [&](const std::string& name) {
    const auto content = self_test(name);
    const auto parts = torch::jit::pickle_load({content.begin(), content.end()}).toTuple();
    const auto input = parts->elements()[0].toTupleRef().elements()[0].toTensor();
    return torch::isin(input, rows_).any().item<bool>();
  };
  const auto random = run_here({"convert", model, "-o", "out.pt", "--val", "x.pt"});
  ASSERT_EQ(random.code, 0) << random.err;
  EXPECT_TRUE(contains(random.out, "random inputs"));
  EXPECT_FALSE(holds_data("out.pt"));
  EXPECT_EQ(run_here({"verify", "out.pt"}).code, 0);

  const auto data =
      run_here({"convert", model, "-o", "out.pt", "--val", "x.pt", "--self-test", "data"});
  ASSERT_EQ(data.code, 0) << data.err;
  EXPECT_TRUE(contains(data.out, "examples of the data"));
  EXPECT_TRUE(holds_data("out.pt"));

  const auto none = run_here({"convert", model, "-o", "out.pt", "--self-test", "none", "--json"});
  ASSERT_EQ(none.code, 0) << none.err;
  EXPECT_EQ(Json::parse(none.out).at("self_test"), "none");
  EXPECT_EQ(Json::parse(none.out).at("verified"), true);
  EXPECT_EQ(self_test("out.pt"), "");
  expect_failure(run_here({"verify", "out.pt"}), 3, {"no self-test"});

  ASSERT_EQ(run_here({"blend", model, "-o", "blended.pt", "--self-test", "none"}).code, 0);
  EXPECT_EQ(self_test("blended.pt"), "");
  ASSERT_EQ(run_here({"collapse", "blended.pt", "-o", "out.pt", "--self-test", "none"}).code, 0);
  EXPECT_EQ(self_test("out.pt"), "");
  expect_failure(run_here({"convert", model, "-o", "out.pt", "--self-test", "some"}), 2, {"some"});
}

}  // namespace
}  // namespace tool_test
