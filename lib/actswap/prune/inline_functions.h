// Inlines calls of functions into the code that calls them.
#pragma once

#include <torch/script.h>

#include <set>
#include <string>

namespace actswap {

/// The module with the bodies of these functions instead of calls to them, so that code which
/// several modules share can change for one of them. It shares tensors with `module`.
/// @param functions qualified names: "__torch__.torch.nn.functional.group_norm"
torch::jit::Module inline_functions(const torch::jit::Module& module,
                                    const std::set<std::string>& functions);

}  // namespace actswap
