// Operators that only copy a tensor or change its type.
#pragma once

#include <torch/script.h>

#include <optional>
#include <vector>

namespace actswap {

/// Which type a cast's output has.
struct Cast {
  enum class To {
    same,     ///< its operand's: clone, contiguous
    value,    ///< that of another tensor: type_as(y), to(y.dtype)
    type,     ///< a constant
    model,    ///< that of all the model's tensors, see note_casts
    unknown,  ///< computed at run time
  };
  To to = To::same;
  const torch::jit::Value* value = nullptr;  ///< for To::value
  c10::ScalarType type = c10::ScalarType::Undefined;
};

/// Empty for a node that is no cast.
std::optional<Cast> cast_of(const torch::jit::Node* node);

/// What the type of a new tensor is, by the argument `dtype` of zeros_like and the like.
Cast type_option(const torch::jit::Node* node);

/// Notes in the code of the modules which casts and type options name the type that every tensor
/// of the model has, so that they change nothing. This is certain if the model's floating-point
/// tensors all have one type and its code makes none of another.
void note_casts(const torch::jit::Module& root);

/// An earlier cast in the same block of the same operand to the same type, if nothing in between
/// writes in place to the operand or to the output of either cast. The value itself if there is
/// none or the value is not from a cast.
torch::jit::Value* first_equal_cast(torch::jit::Value* value);

/// Whether a node after `first` and before `last`, but none of `but` or inside of these, writes to
/// the value.
bool is_written_between(const torch::jit::Value* value, const torch::jit::Node* first,
                        const torch::jit::Node* last,
                        const std::vector<torch::jit::Node*>& but = {});

}  // namespace actswap
