// A TorchScript model as it came from a file, and what is known about it.
#pragma once

#include <actswap/archive/recorded_inputs.h>
#include <actswap/base/export.h>
#include <actswap/graph/reload.h>

#include <torch/script.h>

#include <cstdint>
#include <future>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace actswap {

enum class ModelKind { scripted, traced, frozen };
ACTSWAP_API std::string_view to_string(ModelKind kind);

struct Model {
  torch::jit::Module module;
  ModelKind kind = ModelKind::scripted;
  std::string path;  ///< where it was read; empty for a module that was given in memory
  /// The file's SHA-256, in lower-case hex; empty for a module given in memory. Waits for the
  /// thread that computes it.
  std::string sha256() const { return hash.valid() ? hash.get() : std::string(); }
  std::shared_future<std::string> hash;
  std::map<std::string, std::string> extra_files;  ///< the archive's extra/ entries
  std::vector<RecordedInput> recorded_inputs;      ///< of the trace that the file comes from
  /// The graph holds a batch norm or dropout whose mode is a constant: train() does not reach it.
  bool fixed_mode = false;
};

/// Reads a TorchScript archive onto the CPU.
/// @throws FileError that says what the file is instead: missing, not a zip archive, truncated, a
///   state_dict or tensor of torch.save, a torch.export archive, a newer format, a model with an
///   unknown operator (which one).
ACTSWAP_API Model load(const std::string& path);

/// A model that is already in memory. The module itself is not changed: this is a copy, compiled
/// anew, so that edits to its graphs take effect even where it has run before.
ACTSWAP_API Model adopt(const torch::jit::Module& module);

/// Names of the tensors that forward takes, in the order of inputs: its arguments without self, and
/// instead of a dict the keys that it reads (see InputLayout).
ACTSWAP_API std::vector<std::string> argument_names(const torch::jit::Module& module);

/// Distinct parameters: a tensor that is tied into several modules appears once.
ACTSWAP_API std::vector<torch::Tensor> distinct_parameters(const torch::jit::Module& module);

/// Number of elements in the distinct parameters.
ACTSWAP_API std::int64_t parameter_count(const torch::jit::Module& module);

/// The devices other than the CPU that its code names, as PyTorch does ("cuda:0, cuda:1"); empty:
/// none. A trace on a GPU leaves such constants where it makes tensors (torch.arange(...,
/// device=x.device)), and reading the file onto another device does not change them.
ACTSWAP_API std::string devices_in_code(const torch::jit::Module& module);

/// Copies, for a model that may write to its inputs in place.
ACTSWAP_API std::vector<torch::Tensor> copy_tensors(const std::vector<torch::Tensor>& tensors);

}  // namespace actswap
