#include <actswap/archive/check.h>
#include <actswap/base/error.h>
#include <actswap/base/files.h>
#include <actswap/base/sha256.h>
#include <actswap/checkpoint/state_file.h>

#include <torch/csrc/jit/serialization/pickle.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <string_view>
#include <vector>

namespace actswap {

namespace {

constexpr std::string_view kName = "actswap checkpoint ";
constexpr std::string_view kVersion = "1";
constexpr std::size_t kHashDigits = 64;

}  // namespace

std::string to_bytes(const State& state) {
  const auto content = torch::jit::pickle_save(state.to_value());
  return {content.begin(), content.end()};
}

State from_bytes(const std::string& bytes) {
  return State::from_value(torch::jit::pickle_load({bytes.begin(), bytes.end()}));
}

void write_state(const std::string& path, const State& state) {
  const auto content = to_bytes(state);
  const auto hash = sha256(content);
  const std::string header = std::string(kName) + std::string(kVersion) + "\n" + hash + "\n";
  write_atomically(path, [&](const std::string& temporary) {
    OutputFile file(temporary);
    file.write(header.data(), header.size());
    file.write(content.data(), content.size());
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
