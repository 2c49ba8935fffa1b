// Inputs of models, through the command: those that nobody gives, dicts, plans by agreement.
#include "scratch.h"

#include <nlohmann/json.hpp>

namespace tool_test {
namespace {

using Json = nlohmann::json;

class Inputs : public InScratch {
 protected:
  // Takes Dict[str, Tensor], of which its code reads ids and mask.
  void write_dict_model() const {
    torch::manual_seed(1);
    torch::jit::Module module("m");
    module.register_parameter("table", torch::randn({11, 6}, torch::requires_grad()), false);
    module.register_parameter("weight", torch::randn({8, 6}, torch::requires_grad()), false);
    module.register_parameter("head", torch::randn({4, 8}, torch::requires_grad()), false);
    module.define(
        "def forward(self, features: Dict[str, Tensor]):\n"
        "  mask = features['mask'].unsqueeze(-1)\n"
        "  rows = torch.embedding(self.table, features['ids']) * mask\n"
        "  hidden = torch.silu(torch.linear(rows.sum(1), self.weight))\n"
        "  return torch.linear(hidden, self.head)\n");
    module.save(path("dict.pt"));
    write_tensors(path("inputs.pt"),
                  {{"ids", torch::randint(11, {64, 5})}, {"mask", torch::randint(2, {64, 5})}});
  }
};

TEST_F(Inputs, ADictIsSpelledGuessedAndReadFromFiles) {
  write_dict_model();
  const auto calls = run_all({
      {"convert", "dict.pt", "-o", "a.pt", "--json"},
      {"convert", "dict.pt", "-o", "b.pt", "--json", "--input",
       "{mask: 3x7:int64, ids: 3x7:int64<11}"},
      {"convert", "dict.pt", "-o", "c.pt", "--json", "--calibrate", "inputs.pt"},
      {"convert", "dict.pt", "-o", "d.pt", "--json", "--train", "inputs.pt", "--epochs", "1"},
      {"bench", "dict.pt", "--rounds", "2", "--input", "inputs.pt"},
      {"convert", "dict.pt", "-o", "e.pt", "--input", "{ids: 3x7:int64<11}"},
      {"convert", "dict.pt", "-o", "e.pt", "--input", "{ids: 3x7:int64<11, masks: 3x7}"},
  });
  for (std::size_t i = 0; i < 4; ++i) {
    ASSERT_EQ(calls[i].code, 0) << calls[i].err;
    EXPECT_EQ(Json::parse(calls[i].out).at("verified"), true) << calls[i].out;
  }
  EXPECT_TRUE(contains(Json::parse(calls[0].out).at("verified_on").get<std::string>(), "guessed"));
  EXPECT_EQ(Json::parse(calls[1].out).at("verified_on"), "3x7:int64, 3x7:int64");
  EXPECT_EQ(Json::parse(calls[2].out).at("calibration").at("inputs"), 64);
  EXPECT_EQ(calls[4].code, 0) << calls[4].err;
  expect_failure(calls[5], 2, {"'features'", "mask, ids", "got 1"});
  expect_failure(calls[6], 2, {"the model takes mask, ids"});
  EXPECT_EQ(run_here({"verify", "c.pt"}).code, 0);
}

TEST_F(Inputs, AnErrorNamesTheModelThatRejectsThem) {
  const auto accepts = model_file("scripted_module.pt");
  const auto rejects = model_file("scripted_ops.pt");
  const auto calls = run_all({
      {"bench", accepts, rejects, "--input", "2x3x8x8"},
      {"verify", accepts, "--against", rejects, "--input", "2x3x8x8"},
      {"verify", rejects, "--against", accepts, "--input", "2x3x8x8"},
  });
  for (const auto& call : calls) {
    expect_failure(call, 2, {"'" + rejects + "': The model does not accept the inputs"});
  }
}

TEST_F(Inputs, SeveralAreGivenOneByOne) {
  const auto call =
      run_here({"bench", model_file("two_inputs.pt"), "--input", "2x4,2x3", "--rounds", "1"});
  expect_failure(call, 2,
                 {"'2x4,2x3'", "it has a comma, but each input has an --input of its own"});
}

TEST_F(Inputs, ThoseOfATraceAndOfASelfTestAreTaken) {
  const auto traced = model_file("encoder_traced.pt");
  const auto first = run_here({"convert", traced, "-o", "a.pt", "--to", "relu", "--json"});
  ASSERT_EQ(first.code, 0) << first.err;
  EXPECT_EQ(Json::parse(first.out).at("verified"), true);
  EXPECT_TRUE(contains(Json::parse(first.out).at("verified_on").get<std::string>(),
                       "recorded by the trace"));
  const auto second =
      run_here({"convert", "a.pt", "-o", "b.pt", "--source", "relu", "--to", "relu6", "--json"});
  ASSERT_EQ(second.code, 0) << second.err;
  EXPECT_TRUE(contains(Json::parse(second.out).at("verified_on").get<std::string>(), "self-test"));
}

TEST_F(Inputs, APlanByAgreementKeepsSomeSites) {
  balanced_model().save(path("model.pt"));
  write_tensors(path("images.pt"), {{"x", images_with_classes(96).first}});
  const Words convert = {"convert", "model.pt", "--calibrate", "images.pt", "--calibrate-passes",
                         "0",       "--json",   "-o"};
  const auto with = [&](const Words& more) {
    auto words = convert;
    words.insert(words.end(), more.begin(), more.end());
    return words;
  };
  const auto calls =
      run_all({with({"a.pt", "--min-agreement", "0.01"}),
               with({"b.pt", "--min-agreement", "1", "--agreement", "error"}),
               with({"c.pt", "--agreement", "error"}), with({"d.pt", "--min-agreement", "2"})});
  ASSERT_EQ(calls[0].code, 0) << calls[0].err;
  const auto run = Json::parse(calls[0].out);
  EXPECT_EQ(run.at("partial").at("kept"), 0);
  EXPECT_EQ(run.at("partial").at("measure"), "1 - relative error") << "its outputs are below 1";
  EXPECT_LE(run.at("agreement").at("retargeted").at("relative_error"), 0.99);
  expect_failure(calls[1], 5, {"No swap meets a 1 - relative error of 1 or more", "sites kept"});
  expect_failure(calls[2], 2, {"--agreement has no effect without", "--min-agreement"});
  expect_failure(calls[3], 2, {"--min-agreement: expected 0 to 1, but got '2'"});
}

}  // namespace
}  // namespace tool_test
