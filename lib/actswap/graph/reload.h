// Copies a module and compiles its code anew.
//
// LibTorch caches the code that it made of a method's graph: once a module has run, edits to its
// graphs have no effect. Saved and reloaded code has no such cache.
#pragma once

#include <actswap/base/export.h>

#include <torch/script.h>

namespace actswap {

/// A module with objects, classes and graphs of its own, on the CPU, and with the same tensors.
/// Takes no time and no memory for them. A module that saves itself (__getstate__) gets copies.
ACTSWAP_API torch::jit::Module recompile(const torch::jit::Module& module);

/// The same with new tensors, which are tied and share storage as the module's do.
ACTSWAP_API torch::jit::Module reload(const torch::jit::Module& module);

}  // namespace actswap
