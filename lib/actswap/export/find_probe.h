// Inputs to verify a model on, if nobody gives any.
#pragma once

#include <actswap/base/export.h>
#include <actswap/graph/model.h>
#include <actswap/run/probe.h>

namespace actswap {

struct FoundProbe {
  Probe probe = {};      ///< its origin says where the inputs come from; empty: none runs
  bool is_data = false;  ///< they may be somebody's data, which must not go into another file
};

/// The inputs of the self-test that the model's file holds, otherwise what guess_probe finds.
/// @param module the one to run: the model, or one made from it
/// @param model as it was loaded: its file may hold a self-test or recorded inputs
ACTSWAP_API FoundProbe find_probe(const torch::jit::Module& module, const Model& model);

}  // namespace actswap
