// Code that no run of forward sees.
#pragma once

#include <torch/script.h>

#include <cstdint>
#include <map>
#include <string>

namespace actswap {

/// The numbers that operators and calls get in methods which forward does not call (as
/// torch.jit.export makes them), each with the name of one of these methods. Nobody knows what such
/// a number counts, and no trial would show that it is wrong.
std::map<std::int64_t, std::string> numbers_of_uncalled_methods(const torch::jit::Module& module);

}  // namespace actswap
