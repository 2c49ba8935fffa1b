// Copies of a module whose code was compiled anew.
//
// LibTorch caches what it has made of a method's graph: where a module has run, edits to its graphs
// do nothing. Code that was saved and loaded has no such past.
#pragma once

#include <actswap/base/export.h>

#include <torch/script.h>

namespace actswap {

/// A module with objects, classes and graphs of its own, on the CPU, and with the same tensors.
/// Takes no time and no memory for them. A module that saves itself (__getstate__) gets copies.
ACTSWAP_API torch::jit::Module recompile(const torch::jit::Module& module);

/// The same with tensors of its own, which are tied and share storage where the module's do.
ACTSWAP_API torch::jit::Module reload(const torch::jit::Module& module);

}  // namespace actswap
