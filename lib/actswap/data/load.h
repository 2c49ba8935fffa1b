// Data sets from files.
//
//   images.idx[.gz],labels.idx[.gz]   an idx pair (MNIST's format), images first; gzip by content
//   images.idx[.gz]                   the same without a target
//   tensors.pt                        torch.save of a tensor, a tuple or list, or a dict of tensors
//
// Inputs of a .pt file are the keys that are the model's leading arguments by name, otherwise its
// first tensors in order; what is left over are the targets, in order.
//
// Inputs of uint8 become float32 in [0, 1], N x H x W ones N x 1 x H x W, then (x - mean) /
// deviation per channel (dimension 1) where normalisation is asked for. Integer targets become
// int64.
#pragma once

#include <actswap/base/export.h>
#include <actswap/data/dataset.h>

#include <memory>
#include <string>
#include <vector>

namespace actswap {

struct DataOptions {
  std::vector<double> mean = {};          ///< per channel, or one for all; empty: 0
  std::vector<double> deviation = {};     ///< per channel, or one for all, > 0; empty: 1
  std::vector<std::string> inputs = {};   ///< names (dict) or indices (tuple) of the inputs; empty:
                                          ///< by name, otherwise by order
  std::vector<std::string> targets = {};  ///< names or indices of the targets; empty: what is left
                                          ///< over
  std::int64_t limit = 0;                 ///< take the first so many examples; 0: all
};

/// @param spec a path, or two paths with a comma between them (idx images, idx labels)
/// @param argument_names the model's argument names without self, to match a dict's keys by name
/// @throws FileError for a file that cannot be read, is truncated, is of another format, or does
/// not
///   hold what is asked for; UsageError for options that make no sense and where inputs and target
///   cannot be told apart without options.
ACTSWAP_API std::shared_ptr<TensorDataset> load_data(const std::string& spec,
                                                     const std::vector<std::string>& argument_names,
                                                     const DataOptions& options = {});

/// The tensor in an idx file, plain or gzip: any of its element types, dimensions as stored.
ACTSWAP_API torch::Tensor read_idx(const std::string& path);

/// Named tensors in a .pt file that Python's torch.save wrote: a dict keeps its names, a tuple or
/// list is named "0", "1", ..., a single tensor "0". Order as stored.
ACTSWAP_API std::vector<std::pair<std::string, torch::Tensor>> read_tensors(
    const std::string& path);

}  // namespace actswap
