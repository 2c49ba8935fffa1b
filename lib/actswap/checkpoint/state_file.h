// A State as a file that appears whole or not at all, and whose damage is detected.
//
// Two lines of text, "actswap checkpoint 1" and the SHA-256 of the rest in hex; the rest is what
// torch.save writes of the tuple State::to_value() (docs/formats.md).
#pragma once

#include <actswap/base/export.h>
#include <actswap/checkpoint/state.h>

#include <string>

namespace actswap {

/// The content of such a file after its two lines, for another process of the same program.
ACTSWAP_API std::string to_bytes(const State& state);
/// @param bytes that to_bytes() gave
ACTSWAP_API State from_bytes(const std::string& bytes);

/// @throws FileError where it cannot be written; `path` is then as it was
ACTSWAP_API void write_state(const std::string& path, const State& state);

/// @throws FileError where it cannot be read, is damaged, or is of another version of the format
ACTSWAP_API State read_state(const std::string& path);

}  // namespace actswap
