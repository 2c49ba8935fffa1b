// Running a model without leaving a trace in it.
#pragma once

#include <torch/script.h>

#include <cstdint>
#include <unordered_set>
#include <vector>

namespace actswap {

/// Remembers all that a module holds beside its parameters (buffers, counters, lists, modes), and
/// restores it in the end, whatever the module's code has set or written meanwhile. Changes within
/// objects of classes that are not modules stay.
class KeptState {
 public:
  /// @param changing buffers that may change meanwhile; their changes stay
  explicit KeptState(const torch::jit::Module& module,
                     const std::vector<torch::Tensor>& changing = {});
  ~KeptState();
  KeptState(const KeptState&) = delete;
  KeptState& operator=(const KeptState&) = delete;

  /// Puts everything back now.
  void restore() const;

  /// Whether the tensor lies in memory of the module's parameters or buffers.
  bool shares_memory(const torch::Tensor& tensor) const;

 private:
  struct Slot {
    c10::intrusive_ptr<c10::ivalue::Object> object;
    std::size_t index = 0;
    c10::IValue value;      // of a tensor: the tensor itself, which others may hold too
    torch::Tensor content;  // of a tensor: a copy
    std::int64_t version = 0;
    bool is_copied = false;  // a list, say, which the module's code may change in place
  };
  std::vector<Slot> slots_;
  std::unordered_set<const void*> memory_;
};

}  // namespace actswap
