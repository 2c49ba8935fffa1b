// What the tests of the command share: a folder for each test, the models, data sets, messages.
#pragma once

#include "process.h"

#include <gtest/gtest.h>
#include <torch/script.h>
#include <torch/utils.h>

#include <deque>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

namespace tool_test {

using Words = std::vector<std::string>;

inline std::string model_file(const std::string& name) {
  return std::string(ACTSWAP_TEST_MODELS) + "/" + name;
}

inline std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

inline ::testing::AssertionResult contains(const std::string& text, const std::string& part) {
  if (text.find(part) != std::string::npos) {
    return ::testing::AssertionSuccess();
  }
  return ::testing::AssertionFailure() << "there is no '" << part << "' in\n" << text;
}

inline Words lines_of(const std::string& text) {
  Words lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) {
    lines.push_back(line);
  }
  return lines;
}

/// Lines that begin so.
inline Words lines_with(const std::string& text, const std::string& begin) {
  Words lines = lines_of(text);
  std::erase_if(lines, [&](const std::string& line) { return line.rfind(begin, 0) != 0; });
  return lines;
}

/// A failure that its user can do something about: the exit code, nothing on stdout, a message
/// with all of `parts`, and none of LibTorch's traces.
inline void expect_failure(const Outcome& outcome, int code, const Words& parts) {
  EXPECT_EQ(outcome.code, code) << outcome.err;
  EXPECT_EQ(outcome.out, "");
  for (const auto& part : parts) {
    EXPECT_TRUE(contains(outcome.err, part));
  }
  for (const char* internal : {"frame #", "Traceback", "C++ exception", "bug in actswap",
                               "terminate called", "INTERNAL ASSERT", "enforce fail"}) {
    EXPECT_EQ(outcome.err.find(internal), std::string::npos) << outcome.err;
  }
}

/// A file of named tensors, as Python's torch.save writes a dict.
inline void write_tensors(const std::string& path,
                          const std::vector<std::pair<std::string, torch::Tensor>>& tensors) {
  c10::Dict<std::string, torch::Tensor> content;
  for (const auto& [name, tensor] : tensors) {
    content.insert(name, tensor);
  }
  const auto bytes = torch::jit::pickle_save(content);
  std::ofstream(path, std::ios::binary)
      .write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

/// scripted_module with another bias at its end, so that it gives random images every class: as it
/// comes, it gives all of them one.
inline torch::jit::Module balanced_model() {
  const torch::NoGradGuard without_gradients;
  auto module = torch::jit::load(model_file("scripted_module.pt"));
  module.eval();
  torch::manual_seed(2);
  const auto logits = module({torch::randn({256, 3, 8, 8})}).toTensor();
  module.attr("head").toModule().attr("bias").toTensor().sub_(logits.mean(0));
  return module;
}

/// A model of one input of 35 numbers, which no guess finds.
inline torch::jit::Module choosy_model() {
  torch::jit::Module module("m");
  module.define(
      "def forward(self, x):\n"
      "  assert x.numel() == 35\n"
      "  return torch.silu(x)\n");
  return module;
}

/// Random images and the class that balanced_model gives each.
inline std::pair<torch::Tensor, torch::Tensor> images_with_classes(std::int64_t count) {
  const torch::NoGradGuard without_gradients;
  auto module = balanced_model();
  torch::manual_seed(1);
  const auto images = torch::randn({count, 3, 8, 8});
  return {images, module({images}).toTensor().argmax(1)};
}

/// An empty folder for each test, in which the command runs, removed after it.
class InScratch : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::temp_directory_path() /
              ("actswap_tools_" + std::to_string(::getpid()) + "_" +
               ::testing::UnitTest::GetInstance()->current_test_info()->name());
    std::filesystem::create_directories(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::string path(const std::string& name) const { return (folder_ / name).string(); }

  void write(const std::string& name, const std::string& bytes) const {
    std::ofstream(path(name), std::ios::binary) << bytes;
  }

  ProcessOptions here() const {
    ProcessOptions options;
    options.folder = folder_.string();
    return options;
  }

  Outcome run_here(const Words& arguments) const { return run(arguments, here()); }

  /// Every file below the folder, sorted.
  Words files() const {
    Words names;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(folder_)) {
      if (entry.is_regular_file()) {
        names.push_back(std::filesystem::relative(entry.path(), folder_).string());
      }
    }
    std::sort(names.begin(), names.end());
    return names;
  }

  /// Images with the classes that balanced_model gives them: its accuracy is 100 %.
  void write_images(const std::string& name, std::int64_t count) const {
    const auto [images, classes] = images_with_classes(count);
    write_tensors(path(name), {{"x", images}, {"y", classes}});
  }

  /// Runs the command once for each list of arguments, two at a time: most of the time of a short
  /// run is that of loading LibTorch.
  std::vector<Outcome> run_all(const std::vector<Words>& calls) const {
    std::deque<Process> running;
    std::vector<Outcome> outcomes;
    for (const auto& arguments : calls) {
      if (running.size() == 2) {
        outcomes.push_back(running.front().finish());
        running.pop_front();
      }
      running.emplace_back(arguments, here());
    }
    for (auto& process : running) {
      outcomes.push_back(process.finish());
    }
    return outcomes;
  }

 private:
  std::filesystem::path folder_;
};

}  // namespace tool_test
