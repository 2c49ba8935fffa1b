// The formats of data files: a reader for each, one row of the table in format.cpp.
#pragma once

#include <actswap/data/column.h>
#include <actswap/data/load.h>

#include <memory>
#include <string>

namespace actswap {

/// What a reader is given.
struct DataSource {
  std::string path;
  std::shared_ptr<const DataFile> file;  ///< null: a folder
  std::string begin;                     ///< the file's first 512 bytes, or fewer
  const DataOptions& options;
};

/// Recognises the format by the content and reads it.
/// @throws FileError, which says what the file is instead where that can be told
Columns read_columns(const std::string& path, const DataOptions& options);

// The readers; `is_...` recognise by the first bytes. All throw FileError for a file that is
// damaged.

bool is_image_folder(const DataSource& source);
Columns read_image_folder(const DataSource& source);

bool is_npy(const DataSource& source);
Columns read_npy(const DataSource& source);

bool is_npz(const DataSource& source);
Columns read_npz(const DataSource& source);

bool is_safetensors(const DataSource& source);
Columns read_safetensors(const DataSource& source);

bool is_tar(const DataSource& source);
Columns read_tar(const DataSource& source);

bool is_csv(const DataSource& source);
Columns read_csv(const DataSource& source);

bool is_idx(const DataSource& source);
Columns read_idx_file(const DataSource& source);

bool is_tensors_file(const DataSource& source);
Columns read_tensors_file(const DataSource& source);

/// Says what a file is that no reader reads, with lines of Python that convert it; empty if
/// unknown.
std::string found_instead(const DataSource& source);

}  // namespace actswap
