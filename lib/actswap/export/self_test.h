// The self-test of an exported file: inputs, and the outputs that the model must give for them.
#pragma once

#include <actswap/base/export.h>
#include <actswap/run/probe.h>

#include <string>
#include <string_view>
#include <vector>

namespace actswap {

/// The contents of an exported file's self-test.
enum class SelfTest {
  none,    ///< there is none
  random,  ///< inputs drawn between the least and the largest number of each probe input
  data,    ///< the probe inputs themselves: the file then holds examples of somebody's data
};

/// @throws UsageError for another name
ACTSWAP_API SelfTest parse_self_test(std::string_view name);
ACTSWAP_API std::string to_string(SelfTest self_test);

/// The extra file that holds it.
inline constexpr char kSelfTestFile[] = "actswap/self_test.pt";

/// Tensors of the same shapes and types, drawn uniformly between the least and the largest finite
/// number of each: bools from what is there, integers with both ends.
std::vector<torch::Tensor> draw_like(const std::vector<torch::Tensor>& inputs);

/// The content of that file: a pickled tuple of two tuples, the inputs and the values of the
/// output (tensors, numbers, bools, strings, None).
std::string pack_self_test(const Probe& probe);

/// The file does not store places; this counts them. @throws FileError if it is damaged; `path` is
/// the file that it comes from
Probe unpack_self_test(const std::string& content, const std::string& path);

/// Compares the model with a self-test.
Verification replay(const Probe& self_test, const torch::jit::Module& model, double tolerance);

}  // namespace actswap
