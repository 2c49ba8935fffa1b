// The files in a tar archive: POSIX ustar and pax, and GNU's long names.
#pragma once

#include <actswap/data/data_file.h>

#include <cstdint>
#include <functional>
#include <string>

namespace actswap {

struct TarFile {
  std::string name;
  std::uint64_t offset = 0;  ///< of its bytes in the archive
  std::uint64_t size = 0;
};

/// Calls `take` for each regular file, in the archive's order.
/// @throws FileError where the archive is damaged or truncated
void for_each_tar_file(const DataFile& archive, const std::function<void(TarFile)>& take);

/// Whether a tar archive's first block begins so (512 bytes): its checksum is right.
bool is_tar_header(const std::string& block);

}  // namespace actswap
