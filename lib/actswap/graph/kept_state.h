// Running a model without leaving a trace in it.
#pragma once

#include <torch/script.h>

#include <cstdint>
#include <unordered_set>
#include <vector>

namespace actswap {

/// Remembers all that a module holds beside its parameters (buffers, counters, lists, modes,
/// objects of other classes), and restores it in the end, whatever the module's code has set or
/// written meanwhile.
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
    c10::IValue value;
    c10::IValue content;  // of a list, dict or tuple: a copy, with the same tensors and objects
  };
  struct Content {
    torch::Tensor tensor;  // others may hold it too
    torch::Tensor copy;
    std::int64_t version = 0;
  };
  using Known = std::unordered_set<const void*>;
  void remember(const c10::intrusive_ptr<c10::ivalue::Object>& object, Known& known);
  void remember(const torch::Tensor& tensor, Known& known);

  Known changing_;
  std::vector<Slot> slots_;
  std::vector<Content> contents_;
  std::unordered_set<const void*> memory_;
};

}  // namespace actswap
