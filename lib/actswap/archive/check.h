// What is checked of a file before LibTorch reads it.
#pragma once

#include <actswap/archive/zip.h>
#include <actswap/base/export.h>

#include <string>
#include <string_view>

namespace actswap {

/// A model's records without its tensors: the code is not nested too deep, the pickles fit the
/// other records (archive/pickle.h), checksums are right. Records of debugging (".debug_pkl") are
/// left out, since nobody reads them.
/// @throws FileError
ACTSWAP_API void check_model(const ZipArchive& archive);

/// The checksums of what check_model leaves, the tensors. @throws FileError
ACTSWAP_API void check_model_tensors(const ZipArchive& archive);

/// A file of tensors that torch.save wrote: data.pkl, which fits the other records, and their
/// checksums, unless `with_checksums` is false: that reads no tensors.
/// @throws FileError
ACTSWAP_API void check_tensor_file(const ZipArchive& archive, bool with_checksums = true);

}  // namespace actswap
