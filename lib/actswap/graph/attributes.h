// Numbers that a module holds in attributes and that its code computes with: self.beta.
#pragma once

#include <torch/script.h>

#include <optional>

namespace actswap {

/// Notes, on each node of the module's code that reads an attribute, the number that it gives, so
/// that what is written out with it can be recognised. A number that code of the model sets has no
/// such note. Objects of one class whose numbers differ get classes of their own, where tensor
/// operators read the numbers; the result is `root` itself where no class is split.
torch::jit::Module note_attributes(const torch::jit::Module& root);

/// The number that was noted: a float or int that stays what it is.
std::optional<double> noted_number(const torch::jit::Value* value);

/// The value at present of a floating-point tensor, a parameter or a buffer: of its first element.
std::optional<double> noted_tensor(const torch::jit::Value* value);

}  // namespace actswap
