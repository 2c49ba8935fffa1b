// Reading a tensor of which LibTorch knows the shape and the place in its file, but not the
// content.
#pragma once

#include <actswap/data/data_file.h>
#include <actswap/data/mapped_storages.h>

#include <torch/types.h>

#include <string>

namespace actswap {

/// Reads a tensor of a file that LibTorch unpickled with storages at `places`. Returns a tensor
/// elsewhere (in a record that LibTorch has decompressed) as it is.
/// The tensor has the file's strides: if it was expanded, this reads only the elements that are
/// there.
/// @param what for messages: "'x' in 'data.pt'"
/// @throws FileError where the file cannot be read or has changed, or its elements do not fit in
///   memory
torch::Tensor read_stored(const torch::Tensor& tensor, const MappedFile& places,
                          const DataFile& file, const std::string& what);

/// Whether the bytes in the file, one after the other, are the tensor.
bool is_stored_in_rows(const torch::Tensor& tensor, const MappedFile& places);

}  // namespace actswap
