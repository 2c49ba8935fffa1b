// The inputs of a trace, which torch.jit.trace notes in the file since PyTorch 2.0.
#pragma once

#include <actswap/archive/zip.h>
#include <actswap/base/export.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace actswap {

/// A tensor that forward was given. Its numbers are not in the file.
struct RecordedInput {
  std::size_t argument = 0;  ///< of forward, without self
  std::string key = {};  ///< in a dict, or the place in a list or tuple; empty: the argument itself
  std::vector<std::int64_t> sizes = {};
  std::string storage = {};  ///< the type as PyTorch's pickles name it: "FloatStorage"
};

/// The inputs in their order; empty if the file has none, or none that can be read.
ACTSWAP_API std::vector<RecordedInput> read_recorded_inputs(const ZipArchive& archive);

}  // namespace actswap
