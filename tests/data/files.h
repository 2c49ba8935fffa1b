// What the tests of this folder share: a temporary folder, idx files, and expected messages.
#pragma once

#include <actswap/base/error.h>
#include <actswap/data/dataset.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <functional>
#include <numeric>
#include <string>
#include <vector>

namespace data_test {

// Ten examples of three numbers, in three classes.
inline const auto kX = torch::arange(30).reshape({10, 3}).to(torch::kFloat32);
inline const auto kY = torch::arange(10) % 3;

inline std::string model_file(const std::string& name) {
  return std::string(ACTSWAP_TEST_MODELS) + "/" + name;
}

/// A file that make_files.py wrote.
inline std::string stored_file(const std::string& name) {
  return std::string(ACTSWAP_SOURCE_DIR) + "/tests/data/files/" + name;
}

inline std::string read_bytes(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// The most memory that this process has had so far, in bytes.
inline std::int64_t peak_memory() {
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;) {
    if (word == "VmHWM:") {
      std::int64_t kilobytes = 0;
      status >> kilobytes;
      return kilobytes * 1024;
    }
  }
  return -1;
}

/// An empty folder for each test, removed after it.
class InFolder : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::temp_directory_path() /
              ("actswap_data_" + std::to_string(::getpid()) + "_" +
               ::testing::UnitTest::GetInstance()->current_test_info()->name());
    std::filesystem::create_directories(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::string path(const std::string& name) const { return (folder_ / name).string(); }
  std::string write(const std::string& name, const std::string& bytes) const {
    std::ofstream(path(name), std::ios::binary) << bytes;
    return path(name);
  }

 private:
  std::filesystem::path folder_;
};

inline std::string idx_header(int type, const std::vector<std::uint32_t>& shape) {
  std::string bytes = {0, 0, static_cast<char>(type), static_cast<char>(shape.size())};
  for (const std::uint32_t size : shape) {
    for (int shift = 24; shift >= 0; shift -= 8) {
      bytes += static_cast<char>(size >> shift);
    }
  }
  return bytes;
}

/// Elements 0, 1, 2, ... of uint8.
inline std::string idx_of_bytes(const std::vector<std::uint32_t>& shape) {
  std::size_t count = 1;
  for (const std::uint32_t size : shape) {
    count *= size;
  }
  std::string bytes = idx_header(0x08, shape);
  for (std::size_t i = 0; i < count; ++i) {
    bytes += static_cast<char>(i);
  }
  return bytes;
}

/// All examples.
inline actswap::Example all_of(const actswap::Dataset& data) {
  std::vector<std::int64_t> indices(static_cast<std::size_t>(data.size()));
  std::iota(indices.begin(), indices.end(), 0);
  return data.get(indices);
}

/// Expects `call` to throw E with all of `parts` in a message of one short line.
template <typename E>
void expect_error(const std::function<void()>& call, const std::vector<std::string>& parts) {
  try {
    call();
    ADD_FAILURE() << "expected an error about " << (parts.empty() ? "" : parts[0]);
  } catch (const E& error) {
    const std::string message = error.what();
    for (const auto& part : parts) {
      EXPECT_NE(message.find(part), std::string::npos) << message;
    }
    EXPECT_EQ(message.find('\n'), std::string::npos) << message;
    EXPECT_LT(message.size(), 600U) << message;
  } catch (const std::exception& error) {
    ADD_FAILURE() << "an error of another kind: " << error.what();
  }
}

}  // namespace data_test
