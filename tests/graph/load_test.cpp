#include <actswap/base/error.h>
#include <actswap/graph/model.h>

#include <gtest/gtest.h>

#include "models.h"

namespace actswap {
namespace {

std::string error_of(const std::string& path) {
  try {
    load(path);
  } catch (const FileError& error) {
    return error.what();
  }
  return "loaded";
}

// What each file is, said in words; LibTorch's own trace is in none of them.
TEST(Load, SaysWhatAFileIsInstead) {
  const std::pair<const char*, const char*> cases[] = {
      {"missing.pt", "There is no file"},
      {"", "is a folder; expected a TorchScript file"},
      {"empty.pt", "is empty; expected a TorchScript file"},
      {"text.pt", "is no zip archive"},
      {"truncated.pt", "is truncated or damaged"},
      {"state_dict.pt", "holds tensors only (a state_dict or a tensor)"},
      {"tensor.pt", "holds tensors only (a state_dict or a tensor)"},
      {"exported.pt2", "comes from torch.export"},
      {"newer_version.pt", "is of a newer format than this LibTorch reads"},
      {"mobile.ptl", "is a file for the mobile interpreter"},
      {"optimized.pt", "was optimized for inference"},
      {"quantized.pt", "is a quantized model; retarget the float model"},
      {"unknown_op.pt", "uses the operator 'aten::conv99d', which this LibTorch does not have"},
      {"non_ascii_name.pt", "the name 'é tage' in its code is not ASCII"},
      {"non_ascii_class.pt", "the name 'Größe' in its code is not ASCII"},
  };
  for (const auto& [file, expected] : cases) {
    const auto message = error_of(test_model(file));
    EXPECT_NE(message.find(expected), std::string::npos) << file << ": " << message;
    EXPECT_EQ(message.find("Exception raised from"), std::string::npos) << file << ": " << message;
    EXPECT_EQ(message.find('\n'), std::string::npos) << file << ": " << message;
  }
}

TEST(Load, KnowsTheKind) {
  EXPECT_EQ(load(test_model("scripted_module.pt")).kind, ModelKind::scripted);
  EXPECT_EQ(load(test_model("traced_train_free.pt")).kind, ModelKind::traced);
  EXPECT_EQ(load(test_model("frozen.pt")).kind, ModelKind::frozen);
}

TEST(Load, RecognisesAFixedMode) {
  EXPECT_TRUE(load(test_model("traced_train_free.pt")).fixed_mode);
  EXPECT_FALSE(load(test_model("dropout_bn.pt")).fixed_mode);
}

TEST(Load, GivesTheOutputsOfEagerPython) {
  for (const auto& entry : test_models()) {
    const auto model = load(entry.path);
    const auto io = recorded(entry.name);
    // bfloat16 holds eight bits, and frozen graphs fold batch norm into the convolution.
    const double tolerance = entry.name.ends_with("half") ? 2e-2 : 1e-5;
    EXPECT_LE(largest_difference(outputs_of(model.module, io.inputs), io.outputs), tolerance)
        << entry.name;
    EXPECT_EQ(model.sha256().size(), 64U);
  }
}

TEST(Load, ReadsExtraFiles) {
  EXPECT_EQ(load(test_model("extra_files.pt")).extra_files,
            (std::map<std::string, std::string>{{"labels.txt", "a\nb"}}));
}

TEST(Model, CountsTiedParametersOnce) {
  const auto model = load(test_model("tied.pt"));
  EXPECT_EQ(parameter_count(model.module), 5 * 5 + 5 + 5);
}

TEST(Model, RunSaysWhatWasGiven) {
  auto model = load(test_model("scripted_module.pt"));
  try {
    run_model(model.module, {torch::zeros({1, 2})});
    FAIL() << "the input was accepted";
  } catch (const UsageError& error) {
    EXPECT_NE(std::string(error.what()).find("does not accept the inputs ([1, 2] float)"),
              std::string::npos)
        << error.what();
  }
}

// torch.arange(4, device=x.device), traced on a GPU.
TEST(Model, RunSaysThatTheCodeNamesAnotherDevice) {
  torch::jit::Module module("traced_on_gpu");
  module.define("def forward(self, x):\n  return x + torch.arange(4, device='cuda:1')\n");
  EXPECT_EQ(devices_in_code(module), "cuda:1");
  try {
    run_model(module, {torch::zeros({2, 4})});
    FAIL() << "it ran";
  } catch (const UsageError& error) {
    const std::string what = error.what();
    EXPECT_NE(what.find("names the device cuda:1"), std::string::npos) << what;
    EXPECT_EQ(what.find("SparseCPU"), std::string::npos) << what;
  }
  EXPECT_EQ(devices_in_code(load(test_model("traced_train_free.pt")).module), "");
}

}  // namespace
}  // namespace actswap
