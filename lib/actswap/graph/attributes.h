// Numbers that a module holds in attributes and that its code computes with: self.beta.
#pragma once

#include <torch/script.h>

#include <optional>

namespace actswap {

/// Notes, on each node of the module's code that reads an attribute, the number that it gives, so
/// that activations written out with it can be recognised. A buffer of one element is such a number
/// too if elementwise operators alone read it and no code writes to it. A number that the model's
/// code sets gets no such note. If tensor operators read numbers that differ between objects of one
/// class, these objects get classes of their own; if no class is split, the result is `root`
/// itself.
torch::jit::Module note_attributes(const torch::jit::Module& root);

/// The number that was noted: a float, an int or a buffer of one element that stays what it is.
std::optional<double> noted_number(const torch::jit::Value* value);

/// The present value of a floating-point parameter or buffer: its first element.
std::optional<double> noted_tensor(const torch::jit::Value* value);

}  // namespace actswap
