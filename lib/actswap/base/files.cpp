#include <actswap/base/error.h>
#include <actswap/base/files.h>

#include <fcntl.h>
#include <openssl/evp.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>

namespace actswap {

namespace fs = std::filesystem;

namespace {

fs::path folder_of(const std::string& path) {
  const auto folder = fs::path(path).parent_path();
  return folder.empty() ? fs::path(".") : folder;
}

// The rename must not become visible before the data is on the disk.
void sync_to_disk(const std::string& path) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor >= 0) {
    ::fsync(descriptor);
    ::close(descriptor);
  }
}

}  // namespace

std::string file_sha256(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    throw FileError("Cannot read '" + path + "': " + std::strerror(errno));
  }
  const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(),
                                                                        &EVP_MD_CTX_free);
  EVP_DigestInit_ex(context.get(), EVP_sha256(), nullptr);
  std::array<char, 1 << 16> buffer{};
  while (file.read(buffer.data(), buffer.size()) || file.gcount() > 0) {
    EVP_DigestUpdate(context.get(), buffer.data(), static_cast<std::size_t>(file.gcount()));
  }
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned int size = 0;
  EVP_DigestFinal_ex(context.get(), digest.data(), &size);
  static constexpr char kHex[] = "0123456789abcdef";
  std::string text;
  for (unsigned int i = 0; i < size; ++i) {
    text += kHex[digest[i] >> 4];
    text += kHex[digest[i] & 15];
  }
  return text;
}

void check_writable(const std::string& path) {
  if (path.empty()) {
    throw FileError("Cannot write '': expected the name of a file");
  }
  const auto folder = folder_of(path);
  if (!fs::is_directory(folder)) {
    throw FileError("Cannot write '" + path + "': the folder '" + folder.string() +
                    "' does not exist");
  }
  if (fs::is_directory(path)) {
    throw FileError("Cannot write '" + path + "': it is a folder; expected the name of a file");
  }
  if (::access(folder.c_str(), W_OK) != 0) {
    throw FileError("Cannot write '" + path + "': in the folder '" + folder.string() +
                    "': " + std::strerror(errno));
  }
}

void write_atomically(const std::string& path,
                      const std::function<void(const std::string&)>& write) {
  check_writable(path);
  const fs::path scratch = path + "." + std::to_string(::getpid()) + ".tmp";
  const auto remove_scratch = [&] {
    std::error_code ignored;
    fs::remove_all(scratch, ignored);
  };
  try {
    fs::create_directory(scratch);
    const auto temporary = scratch / fs::path(path).filename();
    write(temporary.string());
    sync_to_disk(temporary.string());
    fs::rename(temporary, path);
    sync_to_disk(folder_of(path).string());
    remove_scratch();
  } catch (const fs::filesystem_error& error) {
    remove_scratch();
    throw FileError("Cannot write '" + path + "': " + error.code().message());
  } catch (...) {
    remove_scratch();
    throw;
  }
}

std::future<void> flush_in_background(const std::string& path) {
  return std::async(std::launch::async, [path] { sync_to_disk(path); });
}

void write_text_atomically(const std::string& path, const std::string& text) {
  write_atomically(path, [&](const std::string& temporary) {
    std::ofstream file(temporary, std::ios::binary);
    file << text;
    file.flush();
    if (!file) {
      throw FileError("Cannot write '" + path + "': " + std::strerror(errno));
    }
  });
}

}  // namespace actswap
