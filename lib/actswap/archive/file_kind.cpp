#include <actswap/archive/file_kind.h>

#include <algorithm>
#include <array>
#include <filesystem>

namespace actswap {

namespace {

struct Mark {
  std::size_t offset;
  std::string_view bytes;
  std::string_view kind;
};

using namespace std::string_view_literals;

constexpr std::array<Mark, 14> kMarks = {{
    {0, "GGUF"sv, "a GGUF file of llama.cpp"},
    {0, "\x89HDF\r\n\x1a\n"sv, "an HDF5 file (of Keras, for instance)"},
    {4, "TFL3"sv, "a TensorFlow Lite model"},
    {4, "ORTM"sv, "a model of ONNX Runtime"},
    // The number that torch.save began its files with before PyTorch 1.6, as a pickle has it.
    {2, "\x8a\x0al\xfc\x9c\x46\xf9 j\xa8P\x19"sv,
     "a file that torch.save wrote before PyTorch 1.6, or in that format: tensors or a pickled "
     "module, not a program"},
    {0, "\x80\x02"sv, "a Python pickle"},
    {0, "\x80\x03"sv, "a Python pickle"},
    {0, "\x80\x04"sv, "a Python pickle"},
    {0, "\x80\x05"sv, "a Python pickle"},
    {0, "\x93NUMPY"sv, "an array of NumPy (.npy)"},
    {0, "\x1f\x8b"sv, "compressed with gzip; unpack it first"},
    {0, "\x28\xb5\x2f\xfd"sv, "compressed with zstd; unpack it first"},
    {0,
     "\x7f"
     "ELF"sv,
     "a program or a library"},
    {257, "ustar"sv, "a tar archive"},
}};

// A header in JSON, whose length in eight bytes stands before it.
bool is_safetensors(std::string_view begin) {
  return begin.size() > 9 && begin[8] == '{' && (begin[9] == '"' || begin[9] == ' ') &&
         begin.substr(4, 4) == std::string_view("\0\0\0\0", 4);
}

// A message of protobuf whose first field is the version of the representation, a small number,
// and whose next one is one of ModelProto.
bool is_onnx(std::string_view begin) {
  constexpr std::string_view kNext = "\x12\x1a\x22\x28\x32\x3a\x42";
  return begin.size() > 3 && begin[0] == '\x08' && begin[1] > 0 && begin[1] < 32 &&
         kNext.find(begin[2]) != std::string_view::npos;
}

// The name of the first record of a zip archive.
std::string_view first_record(std::string_view begin) {
  constexpr std::size_t kLength = 26;
  constexpr std::size_t kName = 30;
  if (!begin.starts_with("PK\x03\x04") || begin.size() < kName) {
    return "";
  }
  return begin.substr(kName, static_cast<unsigned char>(begin[kLength]));
}

std::string zip_kind(std::string_view begin) {
  const auto name = first_record(begin);
  return name.ends_with(".npy")                                  ? "arrays of NumPy (.npz)"
         : name == "metadata.json" || name == "model.weights.h5" ? "a Keras model"
                                                                 : "";
}

}  // namespace

std::string file_kind(std::string_view begin) {
  const auto fits = [&](const Mark& mark) {
    return begin.size() >= mark.offset && begin.substr(mark.offset).starts_with(mark.bytes);
  };
  const auto* mark = std::find_if(kMarks.begin(), kMarks.end(), fits);
  if (mark != kMarks.end()) {
    return std::string(mark->kind);
  }
  return is_safetensors(begin) ? "a safetensors file: tensors, not a program"
         : is_onnx(begin)      ? "an ONNX model"
                               : zip_kind(begin);
}

std::string folder_kind(const std::string& path) {
  const std::filesystem::path folder(path);
  const auto holds = [&](const char* name) {
    std::error_code ignored;
    return std::filesystem::exists(folder / name, ignored);
  };
  return holds("saved_model.pb")              ? "a SavedModel folder of TensorFlow"
         : holds("Manifest.json")             ? "a package of Core ML"
         : holds("config.json")               ? "a folder of Hugging Face's transformers"
         : holds("data.pkl") || holds("code") ? "a folder, an unpacked PyTorch file perhaps"
                                              : "a folder";
}

// The state of an nn.Module is a dict that has these keys.
bool holds_modules(std::string_view pickle) {
  return pickle.find("_modules") != std::string_view::npos &&
         pickle.find("_parameters") != std::string_view::npos &&
         pickle.find("_buffers") != std::string_view::npos;
}

}  // namespace actswap
