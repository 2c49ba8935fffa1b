// Operators that copy a tensor or change its type, and nothing else about it.
#pragma once

#include <torch/script.h>

#include <optional>
#include <vector>

namespace actswap {

/// What the type of a cast's output is.
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
/// of the model has: they change nothing. That is known where the model has floating-point tensors,
/// all of one type, and its code makes none of another.
void note_casts(const torch::jit::Module& root);

/// A cast of the same operand to the same type that stands before this one in its block, with
/// nothing between that writes in place: not to the operand, nor to what either cast gives. The
/// value itself where there is none or it is no cast's.
torch::jit::Value* first_equal_cast(torch::jit::Value* value);

/// Whether a node after `first` and before `last`, but none of `but` or inside of these, writes to
/// the value.
bool is_written_between(const torch::jit::Value* value, const torch::jit::Node* first,
                        const torch::jit::Node* last,
                        const std::vector<torch::jit::Node*>& but = {});

}  // namespace actswap
