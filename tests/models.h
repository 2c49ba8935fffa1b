// What tests work on: small modules written in TorchScript, the models that make_models.py wrote, a
// scratch folder.
#pragma once

#include <actswap/graph/model.h>
#include <actswap/run/model_run.h>

#include <torch/csrc/jit/serialization/pickle.h>
#include <torch/script.h>
#include <torch/utils.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace actswap {

using Children = std::vector<std::pair<std::string, torch::jit::Module>>;

/// A module of a class of its own in `unit`, with these children and methods.
inline torch::jit::Module make_module(const std::shared_ptr<torch::jit::CompilationUnit>& unit,
                                      const std::string& name, const std::string& methods,
                                      const Children& children = {}) {
  torch::jit::Module module(c10::QualifiedName("__torch__." + name), unit, true);
  module.register_attribute("training", c10::BoolType::get(), true);
  for (const auto& [child_name, child] : children) {
    module.register_module(child_name, child);
  }
  module.define(methods);
  return module;
}

/// Another object of the same class, which has no children.
inline torch::jit::Module make_sibling(const torch::jit::Module& module) {
  torch::jit::Module sibling(module._ivalue()->compilation_unit(), module.type());
  sibling.setattr("training", true);
  return sibling;
}

struct TestModel {
  std::string name;
  std::string path;
  std::size_t sites = 0;  ///< default sources, as make_models.py counted them
};

inline std::string test_model(const std::string& name) {
  return std::string(ACTSWAP_TEST_MODELS) + "/" + name;
}

/// How far outputs may lie from the original's because the fused attention of a trace without
/// gradients is taken apart.
inline double rounding_of_attention(const std::string& name) {
  return name == "encoder_traced" || name == "decoder_traced" ? 1e-6 : 0.0;
}

/// Every good model.
inline std::vector<TestModel> test_models() {
  std::ifstream file(test_model("expected.json"));
  const auto expected = nlohmann::json::parse(file);  // items() refers to it
  std::vector<TestModel> models;
  for (const auto& [name, entry] : expected.items()) {
    models.push_back({name, test_model(name + ".pt"), entry["sites"].get<std::size_t>()});
  }
  return models;
}

struct Recorded {
  std::vector<torch::Tensor> inputs;
  std::vector<torch::Tensor> outputs;  ///< of the model in eager Python
};

inline Recorded recorded(const std::string& name) {
  std::ifstream file(test_model(name + ".io.pt"), std::ios::binary);
  const std::vector<char> bytes((std::istreambuf_iterator<char>(file)), {});
  const auto content = torch::jit::pickle_load(bytes).toGenericDict();
  const auto tensors = [&](const char* key) {
    std::vector<torch::Tensor> values;
    for (const auto& value : content.at(key).toListRef()) {
      values.push_back(value.toTensor());
    }
    return values;
  };
  return {tensors("inputs"), tensors("outputs")};
}

/// Outputs in the mode that the module is in; the inputs are left as they are.
inline std::vector<torch::Tensor> outputs_of(torch::jit::Module module,
                                             const std::vector<torch::Tensor>& inputs) {
  const torch::NoGradGuard no_grad;
  return run_model(module, copy_tensors(inputs));
}

inline double largest_difference(const std::vector<torch::Tensor>& a,
                                 const std::vector<torch::Tensor>& b) {
  double largest = a.size() == b.size() ? 0.0 : 1e300;
  for (std::size_t i = 0; i < std::min(a.size(), b.size()); ++i) {
    largest = std::max(
        largest, (a[i].to(torch::kDouble) - b[i].to(torch::kDouble)).abs().max().item<double>());
  }
  return largest;
}

/// A folder for one test, removed at its end.
class ScratchFolder {
 public:
  ScratchFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "actswap_XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) {
      throw std::runtime_error("no scratch folder");
    }
    path_ = name;
  }
  ~ScratchFolder() { std::filesystem::remove_all(path_); }
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;

  std::string operator/(const std::string& name) const { return (path_ / name).string(); }
  /// Names of what is in it, sorted.
  std::vector<std::string> list() const {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(path_)) {
      names.push_back(entry.path().filename().string());
    }
    std::sort(names.begin(), names.end());
    return names;
  }

 private:
  std::filesystem::path path_;
};

}  // namespace actswap
