// actswap blend and collapse: around somebody else's training loop.
#include "scratch.h"

#include <nlohmann/json.hpp>

#include <cstdlib>

namespace tool_test {
namespace {

class Blend : public InScratch {};

TEST_F(Blend, ThereAndBack) {
  const auto blend =
      run_here({"blend", model_file("scripted_module.pt"), "-o", "blended.pt", "--keep", "stem*"});
  EXPECT_EQ(blend.code, 0) << blend.err;
  EXPECT_TRUE(contains(blend.out, "2 of 3 sites blended at t = 0, written to blended.pt"));
  {
    auto module = torch::jit::load(path("blended.pt"));
    module.get_method("set_blend")({1.0});
    module.save(path("trained.pt"));
  }
  const auto collapse = run_here({"collapse", "trained.pt", "-o", "out.pt", "--json"});
  EXPECT_EQ(collapse.code, 0) << collapse.err;
  const auto json = nlohmann::json::parse(collapse.out);
  EXPECT_EQ(json.at("verified"), true);
  EXPECT_EQ(json.at("output"), "out.pt");
  EXPECT_EQ(run_here({"verify", "out.pt"}).code, 0);
  // The same as the swap in one go.
  EXPECT_EQ(
      run_here({"convert", model_file("scripted_module.pt"), "-o", "swap.pt", "--keep", "stem*"})
          .code,
      0);
  EXPECT_EQ(run_here({"verify", "out.pt", "--against", "swap.pt", "--tolerance", "0"}).code, 0);
}

// Calibrated it stands at t = 1: what convert makes of the same inputs. Python trains it on there.
TEST_F(Blend, ACalibratedModelStandsAtOne) {
  write_images("data.pt", 64);
  const auto model = model_file("scripted_module.pt");
  const auto blend =
      run_here({"blend", model, "-o", "blended.pt", "--calibrate", "data.pt", "--json"});
  ASSERT_EQ(blend.code, 0) << blend.err;
  const auto json = nlohmann::json::parse(blend.out);
  EXPECT_EQ(json.at("t"), 1.0);
  EXPECT_EQ(json.at("verified"), true);
  EXPECT_TRUE(contains(blend.err, "3 of 3 sites shifted")) << blend.err;
  EXPECT_EQ(run_here({"collapse", "blended.pt", "-o", "out.pt"}).code, 0);
  EXPECT_EQ(run_here({"convert", model, "-o", "calibrated.pt", "--calibrate", "data.pt"}).code, 0);
  EXPECT_EQ(run_here({"verify", "out.pt", "--against", "calibrated.pt", "--tolerance", "0"}).code,
            0);

  write("loop.py", R"(
import torch
model = torch.jit.load("blended.pt")
exported = torch.jit.load("out.pt")
x = torch.randn(4, 3, 8, 8)
assert torch.equal(model.eval()(x), exported(x))
optimizer = torch.optim.SGD(model.parameters(), 1e-3)
model.train()(x).square().mean().backward()
optimizer.step()
model.eval().save("trained.pt")
)");
  const auto command = "cd " + path("") + " && " + ACTSWAP_PYTHON + " -W ignore loop.py";
  EXPECT_EQ(std::system(command.c_str()), 0);
  EXPECT_EQ(run_here({"collapse", "trained.pt", "-o", "end.pt"}).code, 0);
  EXPECT_EQ(run_here({"verify", "end.pt"}).code, 0);
}

TEST_F(Blend, EachSiteHasItsOwnMethodInTheFile) {
  ASSERT_EQ(run_here({"blend", model_file("scripted_module.pt"), "-o", "blended.pt"}).code, 0);
  auto module = torch::jit::load(path("blended.pt"));
  module.get_method("set_blend")({0.75});
  auto stem = module.attr("stem").toModule().attr("2").toModule();
  stem.attr("actswap_blend_0").toModule().get_method("set_blend")({0.25});
  std::vector<double> blends;
  for (const auto& each : module.modules()) {
    if (each.hasattr("t")) {
      blends.push_back(each.attr("t").toDouble());
    }
  }
  EXPECT_EQ(blends, (std::vector<double>{0.25, 0.75, 0.75}));
}

TEST_F(Blend, SaysWhatTheLoopCannotChange) {
  const auto outcome = run_here({"blend", model_file("traced_train_free.pt"), "-o", "blended.pt"});
  EXPECT_EQ(outcome.code, 0);
  EXPECT_TRUE(contains(outcome.err, "fixed in its graph"));
}

TEST_F(Blend, ABlendedFileIsNoModelToRetarget) {
  ASSERT_EQ(run_here({"blend", model_file("tied.pt"), "-o", "blended.pt"}).code, 0);
  for (const char* subcommand : {"blend", "convert"}) {
    expect_failure(run_here({subcommand, "blended.pt", "-o", "out.pt"}), 2,
                   {"blended.pt", "actswap collapse"});
  }
}

TEST_F(Blend, AFrozenModelIsThawedOnRequest) {
  const auto frozen = model_file("frozen.pt");
  write_images("data.pt", 16);
  const auto refused = run_here({"convert", frozen, "-o", "out.pt", "--train", "data.pt"});
  expect_failure(refused, 2, {"no trainable parameters", "--thaw"});
  EXPECT_FALSE(contains(refused.err, "calibrating")) << "said before anything long begins";
  const auto outcome =
      run_here({"convert", frozen, "-o", "out.pt", "--train", "data.pt", "--batch", "8", "--thaw"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_TRUE(contains(outcome.err, "8 constant weights are parameters again"));
  EXPECT_TRUE(contains(outcome.out, "verified"));
  expect_failure(run_here({"blend", model_file("tied.pt"), "-o", "out2.pt", "--thaw"}), 2,
                 {"nothing to thaw"});
}

TEST_F(Blend, MistakesAreSaid) {
  const auto model = model_file("scripted_module.pt");
  expect_failure(run_here({"collapse", model, "-o", "out.pt"}), 2, {"holds no blends", model});
  expect_failure(run_here({"blend", model_file("no_activation.pt"), "-o", "out.pt"}), 2,
                 {"nothing to swap"});
  expect_failure(run_here({"blend", model, "-o", "missing/out.pt"}), 3, {"missing"});
  EXPECT_EQ(files(), Words{});
}

}  // namespace
}  // namespace tool_test
