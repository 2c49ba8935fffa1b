// Files that cannot be read or written: exit code 3, one line that says what they are instead.
#include "scratch.h"

#include <sys/resource.h>
#include <sys/stat.h>
#include <nlohmann/json.hpp>

namespace tool_test {
namespace {

class Files : public InScratch {
 protected:
  struct Case {
    Words arguments;
    Words parts;
  };

  void expect_file_errors(const std::vector<Case>& cases) const {
    std::vector<Words> calls;
    for (const auto& each : cases) {
      calls.push_back(each.arguments);
    }
    const auto outcomes = run_all(calls);
    for (std::size_t i = 0; i < cases.size(); ++i) {
      SCOPED_TRACE(::testing::PrintToString(cases[i].arguments));
      const auto& outcome = outcomes[i];
      expect_failure(outcome, 3, cases[i].parts);
      EXPECT_EQ(lines_of(outcome.err).size(), 1U) << outcome.err;
      EXPECT_EQ(outcome.err.rfind("error: ", 0), 0U) << outcome.err;
    }
  }
};

TEST_F(Files, AModelThatIsNone) {
  std::filesystem::create_directory(path("folder.pt"));
  std::vector<Case> cases = {{{"inspect", "folder.pt"}, {"folder.pt", "is a folder"}}};
  const std::pair<const char*, Words> bad[] = {
      {"missing.pt", {"no file"}},
      {"text.pt", {"not a TorchScript file", "zip"}},
      {"empty.pt", {"is empty"}},
      {"truncated.pt", {"truncated"}},
      {"state_dict.pt", {"state_dict", "torch.jit.script"}},
      {"tensor.pt", {"torch.save"}},
      {"exported.pt2", {"torch.export", "torch.jit"}},
      {"newer_version.pt", {"newer", "99"}},
      {"unknown_op.pt", {"conv99d"}},
  };
  for (const auto& [file, parts] : bad) {
    cases.push_back({{"inspect", model_file(file)}, parts});
    cases.back().parts.push_back(model_file(file));
  }
  expect_file_errors(cases);
}

// What is told by its first bytes: as much of each as there is in a real file.
TEST_F(Files, AModelOfAnotherProgram) {
  const std::string zeros(300, '\0');
  const std::pair<std::string, std::string> bad[] = {
      {std::string("\x08\x0a\x12\x07pytorch\x1a\x05", 13) + zeros, "an ONNX model"},
      {std::string("\x60\0\0\0\0\0\0\0{\"w\":{\"dtype\"", 20), "a safetensors file"},
      {"GGUF" + zeros, "a GGUF file"},
      {"\x89HDF\r\n\x1a\n" + zeros, "an HDF5 file"},
      {std::string("\x1c\0\0\0TFL3", 8) + zeros, "a TensorFlow Lite model"},
      {std::string("\x80\x04\x95", 3) + zeros, "a Python pickle"},
      {"\x93NUMPY" + zeros, "an array of NumPy"},
      {"\x1f\x8b" + zeros, "compressed with gzip"},
      {"x" + std::string(256, '\0') + "ustar" + zeros, "a tar archive"}};
  std::vector<Case> cases;
  for (const auto& [bytes, kind] : bad) {
    const auto name = "model" + std::to_string(cases.size());
    write(name, bytes);
    cases.push_back({{"inspect", name}, {name, "is " + kind, "expected a TorchScript file"}});
  }
  std::filesystem::create_directory(path("bert"));
  write("bert/config.json", "{}");
  std::filesystem::create_directory(path("saved"));
  write("saved/saved_model.pb", "");
  cases.push_back({{"inspect", "bert"}, {"a folder of Hugging Face's transformers"}});
  cases.push_back({{"inspect", "saved"}, {"a SavedModel folder of TensorFlow"}});
  expect_file_errors(cases);
}

TEST_F(Files, OperatorsOfAnotherLibrary) {
  const auto model = model_file("foreign_op.pt");
  write("text.so", "no library");
  expect_file_errors({
      {{"inspect", model}, {"'actswap_test::twice'", "--load-library"}},
      {{"inspect", model, "--load-library", "missing.so"}, {"missing.so", "No such file"}},
      {{"inspect", model, "--load-library", "text.so"}, {"text.so"}},
  });
  const Words library = {"--load-library", ACTSWAP_TEST_OPERATORS};
  const auto with = [&](Words words) {
    words.insert(words.end(), library.begin(), library.end());
    return words;
  };
  const auto outcome = run_here(with({"convert", model, "-o", "relu.pt", "--input", "2x3"}));
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_TRUE(contains(outcome.out, "verified           yes"));
  for (const auto& outcomes :
       run_all({with({"verify", "relu.pt"}), with({"inspect", model}),
                with({"bench", model, "--input", "2x3", "--rounds", "1"})})) {
    EXPECT_EQ(outcomes.code, 0) << outcomes.err;
  }
}

TEST_F(Files, EverySubcommandNamesTheMissingModel) {
  const auto model = model_file("scripted_module.pt");
  write_images("data.pt", 4);
  const Words parts = {"missing.pt", "no file"};
  expect_file_errors({
      {{"convert", "missing.pt", "-o", "out.pt"}, parts},
      {{"eval", "missing.pt", "--data", "data.pt"}, parts},
      {{"bench", model, "missing.pt", "--input", "2x3x8x8"}, parts},
      {{"verify", "missing.pt"}, parts},
      {{"verify", model, "--against", "missing.pt", "--input", "2x3x8x8"}, parts},
  });
  EXPECT_EQ(files(), Words{"data.pt"});
}

TEST_F(Files, DataThatCannotBeRead) {
  const auto model = model_file("scripted_module.pt");
  expect_file_errors({
      {{"eval", model, "--data", "missing.pt"}, {"missing.pt", "no such file"}},
      {{"eval", model, "--data", "images.gz,labels.gz"}, {"images.gz", "no such file"}},
      {{"eval", model, "--data", model}, {model, "TorchScript model"}},
      {{"convert", model, "-o", "out.pt", "--train", "missing.pt"}, {"missing.pt", "no such file"}},
      {{"convert", model, "-o", "out.pt", "--val", model_file("text.pt")},
       {"text.pt", "expected a folder"}},
  });
  EXPECT_EQ(files(), Words{});
}

TEST_F(Files, WhatVerifyNeeds) {
  expect_file_errors({{{"verify", model_file("scripted_module.pt")}, {"self-test", "--against"}}});
}

TEST_F(Files, AnOutputThatCannotBeWritten) {
  const auto model = model_file("scripted_module.pt");
  std::filesystem::create_directory(path("folder"));
  expect_file_errors({
      {{"convert", model, "-o", "folder", "-q"}, {"folder", "is a folder"}},
      {{"convert", model, "-o", "missing/out.pt", "-q"}, {"missing", "does not exist"}},
  });
  EXPECT_EQ(files(), Words{});
}

TEST_F(Files, AnOutputThatIsNoRegularFile) {
  const auto model = model_file("scripted_module.pt");
  ASSERT_EQ(::mkfifo(path("pipe").c_str(), 0600), 0);
  expect_file_errors({
      {{"convert", model, "-o", "/dev/null", "-q"}, {"/dev/null", "special file"}},
      {{"convert", model, "-o", "pipe", "-q"}, {"pipe", "special file"}},
      {{"blend", model, "-o", "/dev/full", "-q"}, {"/dev/full", "special file"}},
      {{"convert", model, "-o", std::string(300, 'x'), "-q"}, {"name is too long"}},
      {{"inspect", std::string(300, 'x')}, {"too long"}},
  });
}

// A limit on the size of files stands for a full disk.
TEST_F(Files, ADiskThatIsFull) {
  const auto model = model_file("scripted_module.pt");
  const auto blended = run_here({"blend", model, "-o", "blended.pt", "-q"});
  ASSERT_EQ(blended.code, 0) << blended.err;
  rlimit before{};
  ::getrlimit(RLIMIT_FSIZE, &before);
  const rlimit small{4000, before.rlim_max};
  ::setrlimit(RLIMIT_FSIZE, &small);
  const auto outcomes = run_all({{"convert", model, "-o", "out.pt", "-q"},
                                 {"blend", model, "-o", "out.pt", "-q"},
                                 {"collapse", "blended.pt", "-o", "out.pt", "-q"}});
  ::setrlimit(RLIMIT_FSIZE, &before);
  for (const auto& outcome : outcomes) {
    expect_failure(outcome, 3, {"error: Cannot write 'out.pt': File too large"});
  }
  EXPECT_EQ(files(), Words{"blended.pt"});
}

TEST_F(Files, APathThatIsNoUtf8) {
  const std::string name = "m\xff.pt";
  std::filesystem::copy_file(model_file("scripted_module.pt"), path(name));
  const auto outcomes = run_all({{"inspect", name, "--json"},
                                 {"convert", name, "-o", "out\xfe.pt", "--json", "-q"},
                                 {"verify", name, "--against", name, "--json"},
                                 {"bench", name, "--input", "2x3x8x8", "--rounds", "1", "--json"}});
  for (const auto& outcome : outcomes) {
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    EXPECT_FALSE(nlohmann::json::parse(outcome.out, nullptr, false).is_discarded()) << outcome.out;
  }
  EXPECT_TRUE(std::filesystem::exists(path("out\xfe.pt")));
}

// More than any machine has.
TEST_F(Files, MemoryThatDoesNotSuffice) {
  torch::jit::Module module("__torch__.large");
  module.register_attribute("training", c10::BoolType::get(), false);
  module.register_parameter("w", torch::eye(8), false);
  module.define(
      "def forward(self, x):\n"
      "  return torch.silu(torch.matmul(x, self.w)) + torch.zeros([8, 1 << 45])[:, :8]\n");
  module.save(path("large.pt"));
  write_tensors(path("data.pt"), {{"x", torch::ones({8, 8})}, {"y", torch::ones({8, 8})}});
  expect_file_errors({
      {{"convert", "large.pt", "-o", "out.pt", "--input", "8x8", "-q"}, {"Out of memory"}},
      {{"convert", "large.pt", "-o", "out.pt", "--train", "data.pt", "-q"}, {"Out of memory"}},
      {{"eval", "large.pt", "--data", "data.pt", "-q"}, {"Out of memory"}},
      {{"bench", "large.pt", "--input", "8x8"}, {"Out of memory"}},
  });
}

// OpenMP would start them all, and die.
TEST_F(Files, MoreThreadsThanASystemHas) {
  auto options = here();
  options.settings = {"OMP_NUM_THREADS=100000"};
  const auto outcome = run({"convert", model_file("scripted_module.pt"), "-o", "out.pt"}, options);
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_TRUE(contains(outcome.err, "OMP_NUM_THREADS asks for 100000 threads"));
}

// Found out before the hours of training, not after them.
TEST_F(Files, AnOutputThatCannotBeWrittenIsSaidBeforeTheTraining) {
  const auto model = model_file("scripted_module.pt");
  write_images("data.pt", 8);
  for (const Words& more : {Words{}, Words{"--run-dir", "run"}}) {
    Words words = {"convert", model, "-o", "missing/out.pt", "--train", "data.pt"};
    words.insert(words.end(), more.begin(), more.end());
    const auto outcome = run_here(words);
    expect_failure(outcome, 3, {"missing", "does not exist"});
    EXPECT_TRUE(lines_with(outcome.err, "info: training").empty()) << outcome.err;
    EXPECT_FALSE(std::filesystem::exists(path("missing")));
    std::filesystem::remove_all(path("missing"));
  }
}

}  // namespace
}  // namespace tool_test
