// Code that forward never runs.
#pragma once

#include <torch/script.h>

#include <cstdint>
#include <map>
#include <string>

namespace actswap {

/// The numbers passed to operators and calls in methods that forward does not call (from
/// torch.jit.export), each with the name of one of these methods. Nothing tells what such a number
/// counts, and no trial would show that it is wrong.
std::map<std::int64_t, std::string> numbers_of_uncalled_methods(const torch::jit::Module& module);

}  // namespace actswap
