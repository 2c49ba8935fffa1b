// Bringing activations into the code of the module that applies them.
#pragma once

#include <torch/script.h>

namespace actswap {

/// Notes the numbers in attributes (note_attributes may split classes, and the result is then
/// another object than `root`), takes fused operators apart (decompose.h), then inlines these
/// calls, in place, and changes nothing else:
///  - a call of a free function that applies an activation (torch.nn.functional.mish), of such a
///    method of a class that is no module or saves itself, or of a forward hook;
///  - a call of an activation module (see is_activation_module)
///    that is called at several places, so that each place becomes a site of its own, or that
///    writes in place to a value that its caller reads elsewhere, so that this read is visible.
/// Must run before any method of the module has run.
torch::jit::Module normalise(const torch::jit::Module& root);

/// Whether the class is an activation module: its forward applies one activation to its argument
/// and returns it, and it has neither parameters, buffers nor children.
bool is_activation_module(const torch::jit::Module& module);

}  // namespace actswap
