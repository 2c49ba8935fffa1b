// Running a model without leaving a trace in it.
#pragma once

#include <torch/script.h>

#include <cstdint>
#include <vector>

namespace actswap {

/// What a module holds beside its parameters (buffers, counters, lists, modes) is, when this ends,
/// what it was when this began, whatever code of the module has set or written to meanwhile. Within
/// objects of classes that are no modules, changes stay.
class KeptState {
 public:
  explicit KeptState(const torch::jit::Module& module);
  ~KeptState();
  KeptState(const KeptState&) = delete;
  KeptState& operator=(const KeptState&) = delete;

 private:
  struct Slot {
    c10::intrusive_ptr<c10::ivalue::Object> object;
    std::size_t index = 0;
    c10::IValue value;      // of a tensor: the tensor itself, which others may hold too
    torch::Tensor content;  // of a tensor: a copy
    std::int64_t version = 0;
  };
  std::vector<Slot> slots_;
};

}  // namespace actswap
