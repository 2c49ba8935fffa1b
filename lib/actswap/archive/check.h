// Checks a file before LibTorch reads it.
#pragma once

#include <actswap/archive/zip.h>
#include <actswap/base/export.h>

#include <string>
#include <string_view>

namespace actswap {

/// Checks a model's records without its tensors: the code is not nested too deep, the pickles fit
/// the other records (archive/pickle.h), checksums are right. Skips records for debugging
/// (".debug_pkl"), which nobody reads.
/// @throws FileError
ACTSWAP_API void check_model(const ZipArchive& archive);

/// Checks the checksums that check_model leaves out, those of the tensors. @throws FileError
ACTSWAP_API void check_model_tensors(const ZipArchive& archive);

/// Checks a file of tensors that torch.save wrote: that data.pkl fits the other records, and their
/// checksums. If `with_checksums` is false, skips the latter and reads no tensors.
/// @throws FileError
ACTSWAP_API void check_tensor_file(const ZipArchive& archive, bool with_checksums = true);

}  // namespace actswap
