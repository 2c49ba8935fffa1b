// The hash that identifies a file.
#pragma once

#include <actswap/base/export.h>

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

namespace actswap {

/// SHA-256 of bytes that come one after another.
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  void add(const void* data, std::size_t size);
  /// Lower-case hex. Nothing can be added after it.
  std::string hex();

 private:
  struct Context;
  std::unique_ptr<Context> context_;
};

/// SHA-256 of a file, lower-case hex. @throws FileError
ACTSWAP_API std::string file_sha256(const std::string& path);

/// The same of these bytes.
ACTSWAP_API std::string sha256(std::string_view bytes);

}  // namespace actswap
