#include <actswap/archive/extent.h>
#include <actswap/base/error.h>
#include <actswap/data/column.h>
#include <actswap/data/stored_tensor.h>

#include <torch/script.h>

#include <cstdint>

namespace actswap {

namespace {

// From its first element to its last, which the strides may repeat.
std::int64_t extent(const torch::Tensor& tensor, const std::string& what) {
  const auto last = last_element(0, tensor.sizes().vec(), tensor.strides().vec());
  if (!last) {
    throw FileError(what + " is damaged: its sizes and strides reach beyond any memory");
  }
  return *last + 1;
}

// What Python writes of x.conj() or of its imaginary part: the numbers of x, and a note.
torch::Tensor resolved(torch::Tensor tensor, bool is_conjugate, bool is_negative) {
  tensor = is_conjugate ? torch::conj_physical(tensor) : tensor;
  return is_negative ? torch::neg(tensor) : tensor;
}

}  // namespace

torch::Tensor read_stored(const torch::Tensor& tensor, const MappedFile& places,
                          const DataFile& file, const std::string& what) {
  if (tensor.numel() == 0) {
    return torch::empty(tensor.sizes(), tensor.scalar_type());
  }
  const auto offset = places.offset_of(tensor.const_data_ptr());
  if (!offset) {
    return tensor.detach().cpu().resolve_conj().resolve_neg();
  }
  auto elements = allocate({extent(tensor, what)}, tensor.scalar_type(), what);
  file.read(*offset, elements.mutable_data_ptr(), elements.nbytes());
  if (tensor.scalar_type() == torch::kBool) {  // a byte other than 0 and 1 is no bool
    elements = elements.view(torch::kUInt8).ne(0);
  }
  return resolved(elements.as_strided(tensor.sizes(), tensor.strides()), tensor.is_conj(),
                  tensor.is_neg());
}

bool is_stored_in_rows(const torch::Tensor& tensor, const MappedFile& places) {
  return tensor.is_contiguous() && !tensor.is_conj() && !tensor.is_neg() &&
         places.offset_of(tensor.const_data_ptr()).has_value();
}

}  // namespace actswap
