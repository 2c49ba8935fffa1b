#include <actswap/base/error.h>
#include <actswap/graph/model.h>

#include <gtest/gtest.h>

#include <functional>

#include "models.h"
#include "zip_writer.h"

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
      {"text.pt", "is not a zip archive"},
      {"truncated.pt", "is truncated or damaged"},
      {"state_dict.pt", "holds tensors only (a tensor, a state_dict or a training"},
      {"tensor.pt", "holds tensors only (a tensor, a state_dict or a training"},
      {"pickled_module.pt", "is a module that torch.save pickled"},
      {"legacy_module.pt", "is a file that torch.save wrote before PyTorch 1.6"},
      {"arrays.npz", "is arrays of NumPy (.npz); expected a TorchScript file"},
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

// A copy of a sound model in which one record is another.
class DamagedModel {
 public:
  DamagedModel(const std::function<void(const std::string&, std::string&)>& change) {
    rewrite_archive(test_model("scripted_module.pt"), path(), change);
  }
  std::string path() const { return scratch_ / "model.pt"; }

 private:
  ScratchFolder scratch_;
};

void expect_damage(const DamagedModel& model, const std::string& part) {
  const auto message = error_of(model.path());
  EXPECT_NE(message.find(part), std::string::npos) << message;
  EXPECT_NE(message.find(model.path()), std::string::npos) << message;
  EXPECT_EQ(message.find('\n'), std::string::npos) << message;
}

// LibTorch would read on behind the record, in whatever memory is there.
TEST(Load, RefusesATensorThatIsShorterThanItsStorage) {
  expect_damage({[](const auto& name, auto& content) {
                  if (name == "data/0") {
                    content.resize(8);
                  }
                }},
                "in the record 'data/0', which has 8 bytes");
}

TEST(Load, RefusesAWrongChecksum) {
  const ScratchFolder scratch;
  const auto path = scratch / "model.pt";
  std::filesystem::copy_file(test_model("scripted_module.pt"), path);
  std::uint64_t offset = 0;
  {
    const ZipArchive archive(path);
    offset = archive.find("data/0")->offset;
  }
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(static_cast<std::streamoff>(offset));
  file.put('\x55');
  file.close();
  EXPECT_NE(error_of(path).find("the checksum of its record 'data/0' is wrong"), std::string::npos)
      << error_of(path);
}

// Two classes of the model are nn.Sequential. LibTorch reads the longer one's slots in the other.
TEST(Load, RefusesAnObjectOfAnotherClass) {
  expect_damage({[](const auto& name, auto& content) {
                  const std::string longer = "c__torch__.torch.nn.modules.container\nSequential\n";
                  const std::string other =
                      "c__torch__.torch.nn.modules.container.___torch_mangle_1\nSequential\n";
                  const auto at = name == "data.pkl" ? content.find(longer) : std::string::npos;
                  if (at != std::string::npos) {
                    content.replace(at, longer.size(), other);
                  }
                }},
                "to be a __torch__.torch.nn.modules.container.Sequential, but it is a ");
}

TEST(Load, IgnoresRecordsOfDebugging) {
  const DamagedModel model([](const auto& name, auto& content) {
    if (name.ends_with(".debug_pkl")) {
      content = "\x80\x02X\xff\xff\xff\xff no pickle";
    }
  });
  EXPECT_EQ(error_of(model.path()), "loaded");
}

TEST(Load, BoundsTheNestingOfCode) {
  const auto nested = [](std::size_t depth) {
    return [depth](const std::string& name, std::string& content) {
      const auto at = content.rfind("return ");
      if (name.ends_with(".py") && at != std::string::npos) {
        const auto end = content.find('\n', at);
        content.insert(end, std::string(depth, ')'));
        content.insert(at + 7, std::string(depth, '('));
      }
    };
  };
  EXPECT_EQ(error_of(DamagedModel(nested(500)).path()), "loaded");
  expect_damage({nested(6000)}, "code is nested more than 1000 deep");
}

TEST(Load, SaysWhatIsWrongWithAVersion) {
  for (const char* version : {"", "abc", "99999999999999999999"}) {
    expect_damage({[&](const auto& name, auto& content) {
                    content = name.ends_with("version") ? version : content;
                  }},
                  "cannot be loaded");
  }
}

TEST(Load, RefusesSpecialFilesAndLongNames) {
  EXPECT_NE(error_of("/dev/null").find("special file"), std::string::npos);
  EXPECT_NE(error_of(std::string(300, 'x')).find("Cannot read"), std::string::npos);
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

TEST(Model, RunSaysHowColourImagesBecomeGrey) {
  torch::jit::Module model("Net");
  model.register_parameter("weight", torch::ones({2, 1, 3, 3}), false);
  model.define("def forward(self, x: Tensor) -> Tensor:\n  return torch.conv2d(x, self.weight)\n");
  try {
    run_model(model, {torch::zeros({1, 3, 8, 8})});
    FAIL() << "the input was accepted";
  } catch (const UsageError& error) {
    EXPECT_NE(std::string(error.what()).find("; --grey reads images as one channel"),
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
