#include <actswap/archive/check.h>
#include <actswap/base/error.h>
#include <actswap/base/files.h>
#include <actswap/base/sha256.h>
#include <actswap/checkpoint/state_file.h>

#include <caffe2/serialize/inline_container.h>
#include <torch/csrc/jit/serialization/pickle.h>
#include <torch/csrc/jit/serialization/pickler.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <functional>
#include <string_view>

namespace actswap {

namespace {

constexpr std::string_view kName = "actswap checkpoint ";
constexpr std::string_view kVersion = "1";
constexpr std::size_t kHashDigits = 64;

// As torch::jit::pickle_save writes it, piece by piece: no copy of the tensors is in memory.
void serialise(const State& state,
               const std::function<void(const char* data, std::size_t size)>& write) {
  std::string pickled;
  torch::jit::Pickler pickler(
      [&](const char* data, std::size_t size) { pickled.append(data, size); });
  pickler.protocol();
  pickler.pushIValue(state.to_value());
  pickler.stop();
  caffe2::serialize::PyTorchStreamWriter writer([&](const void* data, std::size_t size) {
    write(static_cast<const char*>(data), size);
    return size;
  });
  writer.writeRecord("data.pkl", pickled.data(), pickled.size());
  const auto& tensors = pickler.tensorData();
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    const auto tensor = torch::jit::getWriteableTensorData(tensors[i]);
    writer.writeRecord("data/" + std::to_string(i), tensor.data(), tensor.sizeInBytes());
  }
  writer.writeEndOfFile();
}

}  // namespace

std::string to_bytes(const State& state) {
  std::string bytes;
  serialise(state, [&](const char* data, std::size_t size) { bytes.append(data, size); });
  return bytes;
}

State from_bytes(const std::string& bytes) {
  return State::from_value(torch::jit::pickle_load({bytes.begin(), bytes.end()}));
}

void write_state(const std::string& path, const State& state) {
  const std::string first_line = std::string(kName) + std::string(kVersion) + "\n";
  const std::string no_hash(kHashDigits, '0');
  write_atomically(path, [&](const std::string& temporary) {
    OutputFile file(temporary);
    file.write(first_line.data(), first_line.size());
    file.write(no_hash.data(), no_hash.size());
    file.write("\n", 1);
    Sha256 digest;
    serialise(state, [&](const char* data, std::size_t size) {
      digest.add(data, size);
      file.write(data, size);
    });
    const auto hash = digest.hex();
    file.overwrite(first_line.size(), hash.data(), hash.size());
    file.close();
  });
}

State read_state(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::string name;
  std::string hash;
  if (!file || !std::getline(file, name) || !std::getline(file, hash)) {
    throw FileError("Cannot read the checkpoint '" + path +
                    "': " + (errno == 0 ? "it is too short" : std::strerror(errno)));
  }
  if (!name.starts_with(kName) || hash.size() != kHashDigits) {
    throw FileError("'" + path + "' is no checkpoint: expected '" + std::string(kName) +
                    std::string(kVersion) + "' in its first line");
  }
  if (name.substr(kName.size()) != kVersion) {
    throw FileError("Expected a checkpoint of version " + std::string(kVersion) + " in '" + path +
                    "', but it is of version " + name.substr(kName.size()));
  }
  const auto begin = file.tellg();
  file.seekg(0, std::ios::end);
  std::string content(static_cast<std::size_t>(file.tellg() - begin), '\0');
  file.seekg(begin);
  if (!file.read(content.data(), static_cast<std::streamsize>(content.size()))) {
    throw FileError("Cannot read the checkpoint '" + path + "': " + std::strerror(errno));
  }
  if (sha256(content) != hash) {
    throw FileError("The checkpoint '" + path + "' is damaged: its SHA-256 is not the one noted");
  }
  check_tensor_file(ZipArchive(content, path));
  return from_bytes(content);
}

}  // namespace actswap
