#include <actswap/base/error.h>
#include <actswap/export/export_model.h>

#include <gtest/gtest.h>

#include <array>
#include <cstdio>
#include <limits>
#include <memory>

#include "models.h"

namespace actswap {
namespace {

constexpr char kSelfTest[] = "actswap/self_test.pt";
constexpr char kProvenance[] = "actswap/provenance.json";

Retargeter retargeted(const std::string& name, const PlanOptions& options = {}) {
  const auto model = load(test_model(name + ".pt"));
  return {model, plan(model, options)};
}

Verification exported(Retargeter& swap, const std::string& name, const std::string& path) {
  ExportOptions options;
  options.probe_inputs = recorded(name).inputs;
  return export_model(swap, path, options);
}

/// Standard output's lines, read as JSON.
std::vector<nlohmann::json> run_python(const std::string& arguments) {
  const std::string command = std::string(ACTSWAP_PYTHON) + " " + arguments;
  const std::unique_ptr<FILE, int (*)(FILE*)> pipe(::popen(command.c_str(), "r"), ::pclose);
  std::vector<nlohmann::json> lines;
  std::array<char, 65536> line{};
  while (std::fgets(line.data(), line.size(), pipe.get()) != nullptr) {
    lines.push_back(nlohmann::json::parse(line.data()));
  }
  return lines;
}

// Every model, in a fresh process, by PyTorch alone: the stored outputs come out, by operators that
// PyTorch has, and no source activation is left.
TEST(Export, PlainPythonGivesTheStoredOutputs) {
  const ScratchFolder scratch;
  std::string arguments = std::string(ACTSWAP_SOURCE_DIR) + "/tests/replay.py";
  std::size_t files = 0;
  for (const auto& entry : test_models()) {
    if (entry.sites == 0) {
      continue;
    }
    auto swap = retargeted(entry.name);
    const auto path = scratch / (entry.name + ".pt");
    const auto verification = exported(swap, entry.name, path);
    EXPECT_TRUE(verification.verified) << entry.name << ": " << verification.reason;
    EXPECT_EQ(verification.max_abs_diff, 0.0) << entry.name;
    EXPECT_TRUE(verify_file(path).verified) << entry.name;
    arguments += " " + path;
    ++files;
  }
  const auto replayed = run_python(arguments);
  ASSERT_EQ(replayed.size(), files);
  for (const auto& line : replayed) {
    const auto path = line["path"].get<std::string>();
    EXPECT_EQ(line["max_abs_diff"].get<double>(), 0.0) << path;
    for (const auto& name : line["operators"].get<std::vector<std::string>>()) {
      EXPECT_TRUE(name.starts_with("aten::") || name.starts_with("prim::")) << path << " " << name;
      EXPECT_NE(name, "aten::_transformer_encoder_layer_fwd") << path << ": it has a GELU inside";
      if (path.ends_with("through_identity.pt") || path.ends_with("learnt.pt") ||
          path.ends_with("indexed_shortcut.pt") || path.ends_with("forked_in_place.pt")) {
        continue;  // each has one that stays
      }
      for (const char* source : {"mish", "silu", "gelu", "elu", "selu", "celu"}) {
        EXPECT_NE(name, std::string("aten::") + source) << path;
        EXPECT_NE(name, std::string("aten::") + source + "_") << path;
      }
    }
  }
}

TEST(Export, KeepsExtraFilesAndAddsItsOwn) {
  const ScratchFolder scratch;
  auto swap = retargeted("extra_files");
  ExportOptions options;
  options.probe_inputs = recorded("extra_files").inputs;
  options.provenance = {{"loss", "distil"}};
  export_model(swap, scratch / "out.pt", options);
  const auto files = load(scratch / "out.pt").extra_files;
  ASSERT_EQ(files.size(), 3U);
  EXPECT_EQ(files.at("labels.txt"), "a\nb");
  EXPECT_TRUE(files.contains(kSelfTest));
  const auto provenance = nlohmann::json::parse(files.at(kProvenance));
  EXPECT_EQ(provenance["schema"], 1);
  EXPECT_EQ(provenance["loss"], "distil");
  EXPECT_EQ(provenance["original"]["sha256"], load(test_model("extra_files.pt")).sha256());
}

TEST(Export, GivesTheBlendedModelAtOneWhateverItsT) {
  const ScratchFolder scratch;
  auto swap = retargeted("scripted_module");
  swap.set_blend(0.25);
  exported(swap, "scripted_module", scratch / "out.pt");
  EXPECT_EQ(swap.blend("stem.2/forward/0"), 0.25) << "the export moved the blend";
  swap.set_blend(1.0);
  const auto inputs = recorded("scripted_module").inputs;
  EXPECT_EQ(largest_difference(outputs_of(load(scratch / "out.pt").module, inputs),
                               outputs_of(swap.module(), inputs)),
            0.0);
}

TEST(Export, RefusesWhatDiffersAndLeavesNothing) {
  const ScratchFolder scratch;
  auto swap = retargeted("scripted_module");
  ExportOptions options;
  options.probe_inputs = recorded("scripted_module").inputs;
  options.tolerance = -1.0;  // no difference is small enough
  EXPECT_THROW(export_model(swap, scratch / "out.pt", options), VerificationError);
  EXPECT_TRUE(scratch.list().empty());

  std::ofstream(scratch / "out.pt") << "what was there";
  EXPECT_THROW(export_model(swap, scratch / "out.pt", options), VerificationError);
  EXPECT_EQ(scratch.list(), std::vector<std::string>{"out.pt"});
  std::ifstream file(scratch / "out.pt");
  EXPECT_EQ(std::string(std::istreambuf_iterator<char>(file), {}), "what was there");
}

TEST(Export, SaysWhereItCannotWrite) {
  const ScratchFolder scratch;
  auto swap = retargeted("tied");
  EXPECT_THROW(exported(swap, "tied", scratch / "missing/out.pt"), FileError);
  EXPECT_THROW(exported(swap, "tied", scratch / ""), FileError);
}

TEST(Export, LeavesInputsThatTheModelWritesToAsTheyWere) {
  const auto unit = std::make_shared<torch::jit::CompilationUnit>();
  const auto model = adopt(make_module(
      unit, "Root", "def forward(self, x: Tensor) -> Tensor:\n  return torch.silu_(x) + x\n"));
  Retargeter swap(model, plan(model, {}));
  const ScratchFolder scratch;
  ExportOptions options;
  const auto x = torch::linspace(-3, 3, 13);
  options.probe_inputs = {x.clone()};
  EXPECT_TRUE(export_model(swap, scratch / "out.pt", options).verified);
  EXPECT_TRUE(torch::equal(options.probe_inputs[0], x));
}

// A module with one silu, whose forward is this code.
Model with_silu(const std::string& code) {
  const auto unit = std::make_shared<torch::jit::CompilationUnit>();
  return adopt(make_module(unit, "Root", "def forward(self, x: Tensor):\n" + code));
}

ExportResult exported(const std::string& code, const std::string& path,
                      const std::vector<torch::Tensor>& inputs,
                      SelfTest self_test = SelfTest::random) {
  const auto model = with_silu(code);
  Retargeter swap(model, plan(model, {}));
  ExportOptions options;
  options.probe_inputs = inputs;
  options.self_test = self_test;
  return export_model(swap, path, options);
}

// Whatever the model gives is compared, stored and replayed.
TEST(Export, VerifiesOutputsOfEveryKind) {
  const ScratchFolder scratch;
  const std::vector<torch::Tensor> inputs = {torch::linspace(-3, 3, 13)};
  for (const std::string code : {
           "  return float(torch.silu(x).sum().item())\n",
           "  return torch.fft_fft(torch.silu(x))\n",
           "  y = torch.silu(x)\n  return {'y': [y], 'large': [y > 1.0]}, 3, 'text', None, 2j\n",
           "  return torch.silu(x) + 0.1 * torch.randn_like(x)\n",
           "  return torch.dropout(torch.silu(x), 0.1, True)\n",
           "  return torch.silu(x).masked_fill(x > 1.0, float('-inf'))\n",
           "  x = x.detach().requires_grad_(True)\n"
           "  g = torch.grad([torch.silu(x).sum()], [x])[0]\n"
           "  assert g is not None\n"
           "  return -g\n",
       }) {
    const auto result = exported(code, scratch / "out.pt", inputs);
    EXPECT_TRUE(result.verified) << code << result.reason;
    EXPECT_EQ(result.is_random,
              code.find("rand") != std::string::npos || code.find("dropout") != std::string::npos)
        << code;
    EXPECT_EQ(result.self_test, SelfTest::random) << code << result.self_test_reason;
    const auto replayed = verify_file(scratch / "out.pt");
    EXPECT_TRUE(replayed.verified) << code << replayed.reason;
    EXPECT_EQ(replayed.outputs, result.outputs) << code;
  }
}

TEST(Export, WhatGivesNothingFiniteIsWrittenAndNotVerified) {
  const ScratchFolder scratch;
  const auto result = exported("  return torch.log(-torch.abs(torch.silu(x)) - 1.0)\n",
                               scratch / "out.pt", {torch::linspace(-3, 3, 13)});
  EXPECT_FALSE(result.verified);
  EXPECT_FALSE(result.differs);
  EXPECT_NE(result.reason.find("no finite output"), std::string::npos) << result.reason;
  EXPECT_EQ(result.self_test, SelfTest::none);
  EXPECT_NE(result.self_test_reason.find("nothing finite"), std::string::npos);
  EXPECT_EQ(scratch.list(), std::vector<std::string>{"out.pt"});
}

std::vector<torch::Tensor> stored_inputs(const std::string& path) {
  const auto content = load(path).extra_files.at(kSelfTest);
  std::vector<torch::Tensor> inputs;
  const auto parts = torch::jit::pickle_load({content.begin(), content.end()}).toTuple();
  for (const auto& value : parts->elements().at(0).toTupleRef().elements()) {
    inputs.push_back(value.toTensor());
  }
  return inputs;
}

// The user's data is in the file only where that is asked for.
TEST(Export, TheSelfTestIsWhatIsAskedFor) {
  const ScratchFolder scratch;
  const auto path = scratch / "out.pt";
  const auto x = torch::rand({64}) * 5.0 + 2.0;
  EXPECT_EQ(exported("  return torch.silu(x)\n", path, {x}).self_test, SelfTest::random);
  const auto drawn = stored_inputs(path).at(0);
  EXPECT_EQ(drawn.sizes(), x.sizes());
  EXPECT_EQ(drawn.scalar_type(), x.scalar_type());
  EXPECT_GE(drawn.min().item<float>(), x.min().item<float>());
  EXPECT_LE(drawn.max().item<float>(), x.max().item<float>());
  EXPECT_FALSE(torch::isin(drawn, x).any().item<bool>()) << "a number of the data is in the file";

  EXPECT_EQ(exported("  return torch.silu(x)\n", path, {x}, SelfTest::data).self_test,
            SelfTest::data);
  EXPECT_TRUE(torch::equal(stored_inputs(path).at(0), x));
  EXPECT_EQ(nlohmann::json::parse(load(path).extra_files.at(kProvenance))["self_test"], "data");

  const auto none = exported("  return torch.silu(x)\n", path, {x}, SelfTest::none);
  EXPECT_TRUE(none.verified);
  EXPECT_EQ(none.self_test, SelfTest::none);
  EXPECT_FALSE(load(path).extra_files.contains(kSelfTest));
  EXPECT_THROW(verify_file(path), FileError);
}

// What was guessed is nobody's data: it is the self-test as it is.
TEST(Export, AGuessIsARandomSelfTest) {
  const ScratchFolder scratch;
  const auto path = scratch / "out.pt";
  for (const auto asked : {SelfTest::random, SelfTest::data}) {
    auto swap = retargeted("tied");
    ExportOptions options;
    options.self_test = asked;
    EXPECT_EQ(export_model(swap, path, options).self_test, SelfTest::random);
    const auto guessed = stored_inputs(path).at(0);
    options.probe_inputs = {guessed + 1.0};
    options.probe_is_data = false;
    EXPECT_EQ(export_model(swap, path, options).self_test, SelfTest::random);
    EXPECT_TRUE(torch::equal(stored_inputs(path).at(0), guessed + 1.0));
  }
}

TEST(Export, ARandomSelfTestThatDoesNotRunIsLeftOut) {
  const ScratchFolder scratch;
  // Only sorted inputs are taken.
  const auto result = exported(
      "  assert bool((x[1:] >= x[:-1]).all()), 'expected sorted numbers'\n"
      "  return torch.silu(x)\n",
      scratch / "out.pt", {torch::linspace(-3, 3, 13)});
  EXPECT_TRUE(result.verified) << result.reason;
  EXPECT_EQ(result.self_test, SelfTest::none);
  EXPECT_NE(result.self_test_reason.find("random inputs"), std::string::npos);
}

TEST(SelfTest, NumbersAreDrawnBetweenTheLeastAndTheLargest) {
  const auto ids = torch::tensor({{7, 9, 8, 7}});
  const auto none = torch::full({3}, std::numeric_limits<double>::quiet_NaN());
  const auto drawn = draw_like({ids, torch::tensor({true, true}), torch::full({2}, 0.5), none,
                                torch::empty({0, 3}), torch::ones({4}, torch::kBFloat16)});
  ASSERT_EQ(drawn.size(), 6U);
  EXPECT_EQ(drawn[0].scalar_type(), torch::kInt64);
  EXPECT_TRUE(((drawn[0] >= 7) & (drawn[0] <= 9)).all().item<bool>());
  EXPECT_TRUE(drawn[1].all().item<bool>());
  EXPECT_EQ(drawn[1].scalar_type(), torch::kBool);
  EXPECT_TRUE(torch::equal(drawn[2], torch::full({2}, 0.5)));
  EXPECT_TRUE(drawn[3].isfinite().all().item<bool>());
  EXPECT_EQ(drawn[4].sizes(), (std::vector<std::int64_t>{0, 3}));
  EXPECT_EQ(drawn[5].scalar_type(), torch::kBFloat16);
  const auto many = draw_like({torch::tensor({7, 9}).repeat({100})})[0];
  EXPECT_TRUE((many == 7).any().item<bool>());
  EXPECT_TRUE((many == 9).any().item<bool>());
}

TEST(SelfTest, HasItsNames) {
  for (const auto kind : {SelfTest::none, SelfTest::random, SelfTest::data}) {
    EXPECT_EQ(parse_self_test(to_string(kind)), kind);
  }
  EXPECT_THROW(parse_self_test("some"), UsageError);
}

// By its own path, another one, a link and a hard link.
TEST(Export, TheOriginalIsNotOverwritten) {
  const ScratchFolder scratch;
  const auto net = scratch / "net.pt";
  std::filesystem::copy_file(test_model("tied.pt"), net);
  std::filesystem::create_symlink(net, scratch / "link.pt");
  std::filesystem::create_hard_link(net, scratch / "hard.pt");
  const auto model = load(net);
  Retargeter swap(model, plan(model, {}));
  const auto before = model.sha256();
  for (const auto& path :
       {net,
        scratch / "../" + std::filesystem::path(net).parent_path().filename().string() + "/net.pt",
        scratch / "link.pt", scratch / "hard.pt"}) {
    EXPECT_THROW(export_model(swap, path), UsageError) << path;
    EXPECT_THROW(save_blended(swap, path), UsageError) << path;
    EXPECT_EQ(load(net).sha256(), before);
  }
  save_blended(swap, scratch / "blended.pt");
  EXPECT_THROW(export_blended(load(scratch / "blended.pt"), scratch / "blended.pt"), UsageError);
  ExportOptions options;
  options.overwrites_original = true;
  EXPECT_TRUE(export_model(swap, net, options).verified);
  EXPECT_NE(load(net).sha256(), before);
}

// A model that counts its calls is handed over as it came, however often it ran to be verified.
TEST(Export, RunsLeaveNoTraceInTheModel) {
  const auto unit = std::make_shared<torch::jit::CompilationUnit>();
  auto root = make_module(unit, "Root", "def unused(self) -> int:\n  return 0\n");
  root.register_attribute("calls", c10::IntType::get(), 3);
  root.register_attribute("sizes", c10::ListType::ofInts(), c10::List<std::int64_t>({7}));
  root.register_buffer("sum", torch::full({1}, 5.0));
  root.define(
      "def forward(self, x: Tensor) -> Tensor:\n"
      "  self.calls = self.calls + 1\n"
      "  self.sizes.append(self.calls)\n"
      "  self.sum.add_(1.0)\n"
      "  return torch.silu(x) * self.sum + self.calls\n");
  const auto model = adopt(root);
  ExportOptions options;
  options.probe_inputs = {torch::linspace(-3, 3, 13)};
  const ScratchFolder scratch;
  const auto expect_untouched = [](const torch::jit::Module& module) {
    EXPECT_EQ(module.attr("calls").toInt(), 3);
    EXPECT_EQ(module.attr("sizes").toIntVector(), std::vector<std::int64_t>{7});
    EXPECT_EQ(module.attr("sum").toTensor().item<double>(), 5.0);
    EXPECT_EQ(module.is_training(), true);
  };
  // Tensors are shared with the model that was given, as in a plain swap.
  Retargeter swap(model, plan(model, {}), Tensors::shared);
  auto original = recompile(model.module);
  EXPECT_TRUE(compare_models(original, swap.module(), options.probe_inputs, 1e-5).verified);
  expect_untouched(original);
  expect_untouched(swap.module());
  EXPECT_TRUE(export_model(swap, scratch / "out.pt", options).verified);
  auto written = load(scratch / "out.pt").module;
  written.train();
  expect_untouched(written);
  expect_untouched(model.module);
}

// What a loop that does not know this library does: load, move t by a method, change weights, save.
TEST(Blended, IsTrainedElsewhereAndCollapsed) {
  const ScratchFolder scratch;
  for (const auto& entry : test_models()) {
    if (entry.sites == 0) {
      continue;
    }
    auto swap = retargeted(entry.name);
    ExportOptions options;
    options.probe_inputs = recorded(entry.name).inputs;
    EXPECT_TRUE(save_blended(swap, scratch / "blended.pt", options).verified) << entry.name;

    auto trained = torch::jit::load(scratch / "blended.pt");
    for (auto parameter : trained.parameters()) {
      const torch::NoGradGuard no_grad;
      parameter.mul_(1.25);
    }
    trained.get_method("set_blend")({2.0});  // clamped to 1
    const auto expected = outputs_of(trained, options.probe_inputs);
    trained.get_method("set_blend")({0.5});
    trained.save(scratch / "trained.pt");

    const auto result = export_blended(load(scratch / "trained.pt"), scratch / "out.pt", options);
    EXPECT_TRUE(result.verified) << entry.name << ": " << result.reason;
    const auto finished = load(scratch / "out.pt");
    EXPECT_EQ(largest_difference(outputs_of(finished.module, options.probe_inputs), expected), 0.0)
        << entry.name;
    EXPECT_FALSE(finished.module.find_method("set_blend")) << entry.name;
    const auto provenance = nlohmann::json::parse(finished.extra_files.at(kProvenance));
    EXPECT_EQ(provenance["collapsed"]["sha256"], load(scratch / "trained.pt").sha256());
  }
}

// Trained in this process with the operator, then written for somebody else's loop.
TEST(Blended, FilesHoldStockOperatorsAlone) {
  const ScratchFolder scratch;
  std::string arguments = std::string(ACTSWAP_SOURCE_DIR) + "/tests/replay.py";
  for (const char* target : {"relu", "hard_mish"}) {
    PlanOptions options;
    options.to = target;
    auto swap = retargeted("scripted_module", options);
    const auto path = scratch / (std::string(target) + ".pt");
    EXPECT_TRUE(save_blended(swap, path).verified);
    arguments += " " + path;
  }
  const auto replayed = run_python(arguments);
  ASSERT_EQ(replayed.size(), 2U) << "plain PyTorch does not load them";
  for (const auto& line : replayed) {
    const auto names = line["operators"].get<std::vector<std::string>>();
    EXPECT_TRUE(std::find(names.begin(), names.end(), "aten::lerp") != names.end());
    for (const auto& name : names) {
      EXPECT_TRUE(name.starts_with("aten::") || name.starts_with("prim::")) << name;
    }
    EXPECT_LE(line["max_abs_diff"].get<double>(), 1e-6);
  }
}

TEST(Blended, KeepsTheProvenanceOfTheBlendedFile) {
  const ScratchFolder scratch;
  auto swap = retargeted("tied");
  save_blended(swap, scratch / "blended.pt");
  export_blended(load(scratch / "blended.pt"), scratch / "out.pt");
  const auto provenance =
      nlohmann::json::parse(load(scratch / "out.pt").extra_files.at(kProvenance));
  EXPECT_EQ(provenance["original"]["sha256"], load(test_model("tied.pt")).sha256());
  EXPECT_EQ(provenance["sites"][0]["source"], "mish");
}

TEST(Blended, AModelWithoutBlendsIsRefused) {
  const ScratchFolder scratch;
  EXPECT_THROW(export_blended(load(test_model("tied.pt")), scratch / "out.pt"), UsageError);
  EXPECT_TRUE(scratch.list().empty());
}

TEST(Verify, NoticesChangedWeights) {
  const ScratchFolder scratch;
  auto swap = retargeted("scripted_module");
  exported(swap, "scripted_module", scratch / "out.pt");
  auto changed = load(scratch / "out.pt");
  for (auto parameter : changed.module.parameters()) {
    const torch::NoGradGuard no_grad;
    parameter.mul_(1.001);
  }
  changed.module.save(scratch / "changed.pt",
                      {changed.extra_files.begin(), changed.extra_files.end()});
  const auto result = verify_file(scratch / "changed.pt");
  EXPECT_FALSE(result.verified);
  EXPECT_GT(result.max_rel_diff, 1e-5);
  EXPECT_NE(result.reason.find("largest relative difference"), std::string::npos) << result.reason;
}

TEST(Verify, SaysThatAFileHasNoSelfTest) {
  EXPECT_THROW(verify_file(test_model("tied.pt")), FileError);
}

TEST(Verify, ComparesTwoModels) {
  auto model = load(test_model("tied.pt")).module;
  auto same = load(test_model("tied.pt")).module;
  const auto inputs = recorded("tied").inputs;
  EXPECT_TRUE(compare_models(model, same, inputs, 0.0).verified);
  auto swap = retargeted("tied");
  swap.set_blend(1.0);
  const auto different = compare_models(model, swap.module(), inputs, 1e-5);
  EXPECT_FALSE(different.verified);
  EXPECT_EQ(different.outputs, 1);
}

}  // namespace
}  // namespace actswap
