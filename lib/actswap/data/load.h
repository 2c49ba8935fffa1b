// Data sets from files. docs/formats.md says what each format holds.
//
//   DIR                                images DIR/CLASS/*.jpg (.png, .webp), or DIR/*.jpg
//   data.pt                            torch.save of a tensor, a tuple or list, a dict, a list of
//                                      pairs
//   data.npy, .npz, .safetensors       arrays
//   data.csv                           a column for each field
//   shard-{000..003}.tar               WebDataset
//   images.idx[.gz]                    MNIST's format
//   images.npy,labels.npy              files of one tensor each, named by their stems
//
// load_data recognises the format by the content. It reads examples when they are needed, so data
// may be larger than memory. Compressed files, CSV, and arrays whose first dimension varies fastest
// go into memory.
//
// Inputs are the tensors named like the model's leading arguments, otherwise the first ones in
// order; the rest are the targets, in order. Of two files the first holds the input and the second
// the target.
//
// Inputs of uint8 become float32 in [0, 1], N x H x W ones N x 1 x H x W, then (x - mean) /
// deviation per channel (dimension 1) if the options ask for normalisation. Integer targets become
// int64.
#pragma once

#include <actswap/base/export.h>
#include <actswap/data/image_options.h>
#include <actswap/data/loaded_data.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace actswap {

struct DataOptions {
  std::vector<double> mean = {};          ///< per channel, or one for all; empty: 0
  std::vector<double> deviation = {};     ///< per channel, or one for all, > 0; empty: 1
  std::vector<std::string> inputs = {};   ///< names (dict) or indices (tuple) of the inputs; empty:
                                          ///< by name, otherwise by order
  std::vector<std::string> targets = {};  ///< names or indices of the targets; empty: what is left
                                          ///< over
  std::int64_t limit = 0;                 ///< take only the first examples, this many; 0: all
  ImageOptions images = {};               ///< of files of images
};

/// @param spec a path, or several with commas between them; `{000..003}` in one stands for a file
///   for each number, whose examples follow each other
/// @param argument_names the model's argument names without self, to match tensors by name
/// @param options normalisation, names, limit, image sizes
/// @throws FileError for a file that cannot be read, is truncated, is of another format, or does
///   not hold what the options name; UsageError for options that make no sense, and if nothing
///   tells inputs and target apart.
ACTSWAP_API std::shared_ptr<LoadedData> load_data(const std::string& spec,
                                                  const std::vector<std::string>& argument_names,
                                                  const DataOptions& options = {});

/// The tensor in an idx file, plain or gzip: any of its element types, dimensions as stored.
ACTSWAP_API torch::Tensor read_idx(const std::string& path);

/// The tensors in a file, whole and unchanged, in the order stored. In a .pt file a dict keeps its
/// names, elements of a tuple or list are named "0", "1", ..., a single tensor "0"; .npy, .npz,
/// safetensors and CSV have names as in load_data. @throws FileError
ACTSWAP_API std::vector<std::pair<std::string, torch::Tensor>> read_tensors(
    const std::string& path);

}  // namespace actswap
