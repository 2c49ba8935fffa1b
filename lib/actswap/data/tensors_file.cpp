// .pt files of tensors, as Python's torch.save writes them.
#include <actswap/archive/check.h>
#include <actswap/base/activity.h>
#include <actswap/base/error.h>
#include <actswap/data/load.h>

#include <torch/script.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string_view>

namespace actswap {

namespace {

using NamedTensors = std::vector<std::pair<std::string, torch::Tensor>>;

constexpr const char* kExpected =
    "expected what torch.save writes of a tensor, a tuple or list of tensors, or a dict of tensors";

constexpr std::string_view kArchive = "PK\x03\x04";  // how a zip archive begins

std::vector<char> read_bytes(const std::string& path) {
  std::error_code error;
  if (!std::filesystem::exists(path, error)) {
    throw FileError("Cannot read '" + path + "': there is no such file");
  }
  if (!std::filesystem::is_regular_file(path, error)) {
    throw FileError("Cannot read '" + path + "': " + kExpected + ", but it is no regular file");
  }
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  std::vector<char> bytes(
      static_cast<std::size_t>(file ? std::filesystem::file_size(path, error) : 0));
  if (!file || error || !file.read(bytes.data(), static_cast<std::streamsize>(bytes.size()))) {
    throw FileError("Cannot read '" + path + "': " + std::strerror(errno));
  }
  return bytes;
}

// LibTorch's own messages are internal assertions with a trace; the content says more.
std::string found_instead(const std::vector<char>& bytes) {
  const std::string_view content(bytes.data(), bytes.size());
  if (content.empty()) {
    return "it is empty";
  }
  if (!content.starts_with(kArchive)) {
    return content.starts_with("\x80\x02")
               ? "it is of torch.save's old format; save it again with a newer PyTorch"
               : "it is no zip archive";
  }
  if (content.find("constants.pkl") != std::string_view::npos) {
    return "it is a TorchScript model";
  }
  return "it is damaged, or holds other Python objects; of a state_dict save dict(state_dict)";
}

torch::Tensor checked(const c10::IValue& value, const std::string& name, const std::string& path) {
  if (!value.isTensor()) {
    throw FileError("Expected tensors in '" + path + "', but its element '" + name + "' is a " +
                    value.tagKind());
  }
  const auto& tensor = value.toTensor();
  if (!tensor.defined() || tensor.layout() != torch::kStrided || tensor.is_meta() ||
      tensor.is_quantized()) {
    throw FileError("Expected dense tensors in '" + path + "', but its element '" + name +
                    "' is sparse, quantized or without data");
  }
  return tensor.detach().cpu();
}

std::string key_name(const c10::IValue& key, const std::string& path) {
  if (key.isString()) {
    return key.toStringRef();
  }
  if (key.isInt()) {
    return std::to_string(key.toInt());
  }
  throw FileError("Expected a dict from names to tensors in '" + path + "', but a key is a " +
                  key.tagKind());
}

NamedTensors named_tensors(const c10::IValue& content, const std::string& path) {
  NamedTensors tensors;
  const auto add = [&](const std::string& name, const c10::IValue& value) {
    tensors.emplace_back(name, checked(value, name, path));
  };
  if (content.isTensor()) {
    add("0", content);
  } else if (content.isTuple() || content.isList()) {
    const auto values =
        content.isTuple() ? content.toTupleRef().elements().vec() : content.toListRef().vec();
    for (const auto& value : values) {
      add(std::to_string(tensors.size()), value);
    }
  } else if (content.isGenericDict()) {
    for (const auto& entry : content.toGenericDict()) {
      add(key_name(entry.key(), path), entry.value());
    }
  } else {
    throw FileError("'" + path + "' is not a file of tensors: " + kExpected + ", but it holds a " +
                    content.tagKind());
  }
  return tensors;
}

}  // namespace

NamedTensors read_tensors(const std::string& path) {
  const Reading reading(path);
  const auto bytes = read_bytes(path);
  const std::string_view view(bytes.data(), bytes.size());
  if (view.starts_with(kArchive)) {
    check_tensor_file(ZipArchive(view, path));
  }
  c10::IValue content;
  try {
    // torch::load reads only what C++'s torch::save writes.
    content = torch::jit::pickle_load(bytes);
  } catch (const std::exception&) {
    throw FileError("'" + path + "' is not a file of tensors: " + kExpected + ", but " +
                    found_instead(bytes));
  }
  return named_tensors(content, path);
}

}  // namespace actswap
