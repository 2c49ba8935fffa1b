// A training that explodes writes nothing, whatever the recipe; unusual parameters are trained.
#include "scratch.h"

namespace tool_test {
namespace {

class Diverged : public InScratch {};

TEST_F(Diverged, WritesNothingWhateverTheRecipe) {
  write_images("data.pt", 48);
  const Words first = {"convert",  model_file("scripted_module.pt"),
                       "-o",       "out.pt",
                       "--train",  "data.pt",
                       "--batch",  "16",
                       "--epochs", "4",
                       "--lr",     "1e6"};
  std::vector<Words> calls;
  for (const Words& more :
       {Words{"--recipe", "ramp"}, Words{"--recipe", "hard"}, Words{"--recipe", "calibrated"},
        Words{"--recipe", "calibrated-ramp"}, Words{"--recipe", "ramp", "--average", "0"},
        Words{"--recipe", "ramp", "--val", "data.pt", "--keep-best"},
        Words{"--recipe", "ramp", "--val", "data.pt", "--bound", "1"}}) {
    calls.push_back(first);
    calls.back().insert(calls.back().end(), more.begin(), more.end());
  }
  for (const auto& outcome : run_all(calls)) {
    expect_failure(outcome, 5, {"Training diverged at step", "learning rate"});
  }
  EXPECT_FALSE(std::filesystem::exists(path("out.pt")));  // the record of the run may be there
}

TEST_F(Diverged, AnEmptyTrainingSetIsAMistake) {
  write_tensors(path("none.pt"), {{"x", torch::zeros({0, 3, 8, 8})}});
  expect_failure(run_here({"convert", model_file("scripted_module.pt"), "-o", "out.pt", "--train",
                           "none.pt", "--recipe", "hard", "--loss", "distil"}),
                 2, {"example"});
  EXPECT_EQ(files(), Words{"none.pt"});
}

// Complex, empty, half, with a sparse gradient: all in one.
TEST_F(Diverged, UnusualParametersAreTrained) {
  torch::jit::Module module("__torch__.unusual");
  module.register_attribute("training", c10::BoolType::get(), true);
  torch::manual_seed(4);
  const auto add = [&](const char* name, const torch::Tensor& value) {
    module.register_parameter(name, value.set_requires_grad(true), false);
  };
  add("table", torch::randn({10, 8}));
  add("filter", torch::randn({5}, torch::kComplexFloat));
  add("none", torch::zeros({0, 4}));
  add("w", torch::randn({8, 8}, torch::kHalf));
  module.define(
      "def forward(self, x):\n"
      "  y = torch.embedding(self.table, x, -1, False, True).mean(1)\n"
      "  y = torch.fft_irfft(torch.fft_rfft(torch.silu(y)) * self.filter, 8)\n"
      "  return torch.matmul(y.half(), self.w).float() + self.none.sum()\n");
  module.save(path("model.pt"));
  write_tensors(path("data.pt"), {{"x", torch::randint(0, 10, {64, 4})}});
  const auto outcome = run_here({"convert", "model.pt", "-o", "out.pt", "--train", "data.pt",
                                 "--recipe", "hard", "--loss", "distil-mse", "--lr", "0.01"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  const auto before = torch::jit::load(path("model.pt"));
  const auto after = torch::jit::load(path("out.pt"));
  for (const char* name : {"table", "filter", "w"}) {
    EXPECT_FALSE(torch::equal(before.attr(name).toTensor(), after.attr(name).toTensor())) << name;
  }
}

}  // namespace
}  // namespace tool_test
