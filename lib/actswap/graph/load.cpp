// Reading a model file, and saying what a file is instead where it is none.
#include <actswap/archive/check.h>
#include <actswap/archive/file_kind.h>
#include <actswap/base/activity.h>
#include <actswap/base/error.h>
#include <actswap/base/libtorch_error.h>
#include <actswap/base/sha256.h>
#include <actswap/graph/classify.h>
#include <actswap/graph/model.h>
#include <actswap/graph/non_ascii.h>
#include <actswap/graph/walk.h>

#include <torch/csrc/jit/api/function_impl.h>
#include <torch/csrc/jit/serialization/import.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <future>

namespace actswap {

namespace {

constexpr char kExpected[] = "; expected a TorchScript file, as torch.jit.save writes it";

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

void check_is_archive(const std::string& path) {
  namespace fs = std::filesystem;
  std::error_code error;
  const auto status = fs::status(path, error);
  if (status.type() == fs::file_type::not_found) {
    throw FileError("There is no file '" + path + "'");
  }
  if (fs::is_directory(status)) {
    throw FileError("'" + path + "' is " + folder_kind(path) + kExpected);
  }
  if (status.type() == fs::file_type::none) {
    throw FileError("Cannot read '" + path + "': " + error.message());
  }
  if (!fs::is_regular_file(status)) {
    throw FileError("'" + path +
                    "' is a device, a pipe or another special file; expected a TorchScript file");
  }
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    throw FileError("Cannot read '" + path + "': permission denied");
  }
  std::string begin(kFileKindBytes, '\0');
  file.read(begin.data(), static_cast<std::streamsize>(begin.size()));
  begin.resize(static_cast<std::size_t>(file.gcount()));
  if (begin.empty()) {
    throw FileError("'" + path + "' is empty" + kExpected);
  }
  if (const auto kind = file_kind(begin); !kind.empty()) {
    throw FileError("'" + path + "' is " + kind + kExpected);
  }
  if (!begin.starts_with("PK\x03\x04")) {
    throw FileError(
        "'" + path +
        "' is not a TorchScript file: it is not a zip archive (a TorchScript file is what "
        "torch.jit.save writes)");
  }
}

bool has_prefix(const ZipArchive& archive, const std::string& prefix) {
  const auto at = archive.records().lower_bound(prefix);
  return at != archive.records().end() && at->first.starts_with(prefix);
}

bool has(const ZipArchive& archive, const std::string& record) {
  return archive.find(record) != nullptr;
}

void check_is_torchscript(const std::string& path, const ZipArchive& archive) {
  if (!has(archive, "version") && !has(archive, ".data/version")) {
    throw FileError("'" + path + "' is a zip archive, but not one of PyTorch" + kExpected);
  }
  if (has(archive, "bytecode.pkl")) {
    throw FileError(
        "'" + path +
        "' is a file for the mobile interpreter, whose bytecode would not fit what comes "
        "out; expected the model as torch.jit.save writes it");
  }
  if (has(archive, "constants.pkl") && has_prefix(archive, "code/")) {
    return;
  }
  if (has(archive, "archive_format") || has_prefix(archive, "models/") ||
      has(archive, "serialized_exported_program.json")) {
    throw FileError(
        "'" + path +
        "' comes from torch.export, which cannot be rewritten here; save the model with "
        "torch.jit.script(model).save(...) or torch.jit.trace(model, inputs).save(...)");
  }
  const auto* pickle = archive.find("data.pkl");
  if (pickle != nullptr && holds_modules(archive.read(*pickle))) {
    throw FileError(
        "'" + path +
        "' is a module that torch.save pickled: its code is in Python files, not in this one; load "
        "it in Python and save it with torch.jit.script(model).save(...) or "
        "torch.jit.trace(model, inputs).save(...)");
  }
  if (pickle != nullptr) {
    throw FileError(
        "'" + path +
        "' was written by torch.save and holds tensors only (a tensor, a state_dict or a training "
        "checkpoint), not a program; load it into the model in Python and save that with "
        "torch.jit.script(model).save(...)");
  }
  throw FileError("'" + path + "' is a zip archive, but not a TorchScript file");
}

std::map<std::string, std::string> read_extra_files(const ZipArchive& archive) {
  static const std::string kPrefix = "extra/";
  std::map<std::string, std::string> files;
  for (const auto& [name, record] : archive.records()) {
    if (name.starts_with(kPrefix)) {
      files[name.substr(kPrefix.size())] = archive.read(record);
    }
  }
  return files;
}

// LibTorch compiles code for the classes that it declares, but takes their objects from the pickle:
// it would read an object of another class beyond its end.
void check_classes(const std::string& path, const torch::jit::Module& root) {
  for (const auto& entry : distinct_modules(root)) {
    const auto type = entry.module.type();
    for (std::size_t i = 0; i < type->numAttributes(); ++i) {
      const auto expected = type->getAttribute(i)->cast<c10::ClassType>();
      const auto value = entry.module._ivalue()->getSlot(i);
      if (expected && !(value.isObject() && value.toObject()->type()->isSubtypeOf(*expected))) {
        throw FileError("'" + path + "' is damaged: expected the attribute '" +
                        type->getAttributeName(i) + "' of a " + type->name()->name() + " to be a " +
                        expected->name()->qualifiedName() + ", but it is a " +
                        value.type()->annotation_str());
      }
    }
  }
}

// Operators of a model that was already made ready for some way of running it.
void check_is_float(const std::string& path, const Model& model) {
  static const std::map<std::string, std::string> kInstead = {
      {"quantized", "a quantized model; retarget the float model, then quantize that"},
      {"mkldnn", "optimized for inference; retarget the model as it was before that"},
      {"mkldnn_prepacked", "optimized for inference; retarget the model as it was before that"},
      {"prepacked", "optimized for mobile devices; retarget the model as it was before that"}};
  for (const auto& type : distinct_types(distinct_modules(model.module))) {
    for (auto* method : user_methods(type)) {
      for_each_node(torch::jit::toGraphFunction(*method).graph()->block(),
                    [&](torch::jit::Node* node) {
                      const auto found = kInstead.find(node->kind().ns().toUnqualString());
                      if (found != kInstead.end()) {
                        throw FileError("'" + path + "' is " + found->second + " (it uses '" +
                                        node->kind().toQualString() + "')");
                      }
                    });
    }
  }
}

// The line that names the operator, out of LibTorch's several.
std::string unknown_operator(const std::string& what) {
  static const std::string kMark = "Unknown builtin op: ";
  const auto begin = what.find(kMark) + kMark.size();
  const auto end = what.find_first_of(".\n", begin);
  return what.substr(begin, end - begin);
}

FileError not_loaded(const std::string& path, const ZipArchive& archive, const std::string& what) {
  const auto cause = non_ascii_cause(archive);
  return FileError("'" + path +
                   "' cannot be loaded: " + (cause.empty() ? libtorch_cause(what) : cause));
}

}  // namespace

Model load(const std::string& path) {
  check_is_archive(path);
  const Reading reading(path);
  const ZipArchive archive(path);
  check_is_torchscript(path, archive);
  check_model(archive);
  auto tensors = std::async(std::launch::async, [&archive] { check_model_tensors(archive); });
  Model model;
  model.hash = std::async(std::launch::async, [path] { return file_sha256(path); });
  model.extra_files = read_extra_files(archive);
  model.recorded_inputs = read_recorded_inputs(archive);
  try {
    // LibTorch never reads records for debugging here: a damaged one would block a sound model.
    model.module = torch::jit::load(path, torch::kCPU, /*load_debug_files=*/false);
  } catch (const c10::Error& error) {
    const std::string what = error.what_without_backtrace();
    if (contains(what, "maximum supported version")) {
      const auto cause = libtorch_cause(what);
      throw FileError("'" + path + "' is of a newer format than this LibTorch reads: " +
                      cause.substr(0, cause.find(". ")));
    }
    throw not_loaded(path, archive, what);
  } catch (const torch::jit::ErrorReport& error) {
    const std::string what = error.what();
    if (contains(what, "Unknown builtin op: ")) {
      throw FileError("'" + path + "' uses the operator '" + unknown_operator(what) +
                      "', which this LibTorch does not have; load the library that defines it "
                      "first (--load-library libtorchvision.so), or export the model without it");
    }
    throw not_loaded(path, archive, what);
  } catch (const std::exception& error) {
    // What LibTorch says of its own file: constants of oneDNN's layout are not written.
    if (contains(error.what(), "required keyword attribute 'value' is undefined")) {
      throw FileError("'" + path +
                      "' was optimized for inference and saved, which cannot be loaded "
                      "again; retarget the model as it was before that");
    }
    throw not_loaded(path, archive, error.what());
  }
  tensors.get();
  check_classes(path, model.module);
  check_is_float(path, model);
  model.path = path;
  classify(model);
  return model;
}

Model adopt(const torch::jit::Module& module) {
  Model model;
  model.module = reload(module);
  classify(model);
  return model;
}

}  // namespace actswap
