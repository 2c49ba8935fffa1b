// The page that a supervised process shares with its supervisor. For base/activity.cpp,
// base/supervise.cpp, and a program that loads this library while it is supervised.
#pragma once

#include <actswap/base/export.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace actswap {

/// A text that another process can read even if this one died while writing it: it always ends in a
/// zero.
template <std::size_t N>
using SharedText = std::array<char, N>;

struct ProcessState {
  static constexpr std::size_t kPath = 4096 + 256;
  static constexpr int kFolders = 8;
  std::atomic<int> stop_signal = 0;
  std::atomic<bool> stops_in_order = false;
  std::atomic<std::int64_t> patience_ms = 0;
  std::atomic<int> broker = -1;  ///< the supervised process's end of base/output_broker.h
  std::atomic<bool> out_of_memory = false;  ///< why it aborts
  SharedText<kPath> activity = {};
  SharedText<512> last_words = {};  ///< of the exception that nobody caught
  std::array<SharedText<kPath>, kFolders> folders = {};
};
static_assert(std::atomic<int>::is_always_lock_free && std::atomic<bool>::is_always_lock_free &&
              std::atomic<std::int64_t>::is_always_lock_free);

/// This process's; its own memory until share_state().
ProcessState& process_state();

/// Moves it into memory that processes forked from now on share. @throws std::bad_alloc
void share_state();

/// Uses another state from now on: that of a program which was supervised before it loaded this
/// library and so has its own copy of these functions.
ACTSWAP_API void use_state(ProcessState& state);

template <std::size_t N>
void set_text(SharedText<N>& to, const char* text) {
  std::size_t length = 0;
  for (; length + 1 < N && text[length] != '\0'; ++length) {
    to[length] = text[length];
  }
  to[length] = '\0';
}

}  // namespace actswap
