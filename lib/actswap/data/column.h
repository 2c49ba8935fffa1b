// One named array of a data file, with an entry for each example, as a format's reader returns it.
#pragma once

#include <actswap/data/data_file.h>

#include <torch/types.h>

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace actswap {

class Column {
 public:
  virtual ~Column() = default;
  /// Number of entries.
  virtual std::int64_t size() const = 0;
  /// The entries with these indices (each in [0, size())), stacked along dimension 0.
  /// @throws FileError that names the file, and the entry where one alone is damaged
  virtual torch::Tensor at(std::span<const std::int64_t> indices) const = 0;
  /// How images are changed (describe); empty for tensors.
  virtual std::string kind() const { return {}; }
  /// The names of classes, if the entries are their numbers; otherwise empty.
  virtual std::vector<std::string> classes() const { return {}; }
};

struct NamedColumn {
  std::string name;
  std::shared_ptr<const Column> column;  ///< null: nothing can use it
  std::string problem = {};              ///< why, for a message: "it is a scalar"
  bool is_field = false;  ///< a number for each example; several fields together form an input
};
using Columns = std::vector<NamedColumn>;

/// A tensor in memory, with an entry for each index of dimension 0.
class TensorColumn : public Column {
 public:
  explicit TensorColumn(torch::Tensor tensor, std::vector<std::string> classes = {})
      : tensor_(std::move(tensor)), classes_(std::move(classes)) {}
  std::int64_t size() const override { return tensor_.size(0); }
  torch::Tensor at(std::span<const std::int64_t> indices) const override;
  std::vector<std::string> classes() const override { return classes_; }

 private:
  torch::Tensor tensor_;
  std::vector<std::string> classes_;
};

/// How an array lies in a file.
struct StoredArray {
  std::uint64_t offset = 0;  ///< of its first byte in the file
  torch::ScalarType type = torch::kFloat32;
  std::vector<std::int64_t> shape = {};
  bool is_big_endian = false;

  /// @throws FileError, which calls the array `what`, for a shape of too many dimensions or bytes
  std::uint64_t bytes(const std::string& what) const;
};

/// The column of an array whose last dimension varies fastest; a scalar is none.
/// @param file holds all of the array's bytes
NamedColumn stored_column(const std::string& name, const std::shared_ptr<const DataFile>& file,
                          const StoredArray& array);
/// The column of a tensor; a scalar is none.
NamedColumn tensor_column(const std::string& name, torch::Tensor tensor);

/// The array's elements in this machine's byte order, from the bytes in a file. Unsigned types of
/// 16, 32 and 64 bits, for which LibTorch has few operators, become signed ones that are wide
/// enough.
/// @param what for messages: the file
/// @throws FileError for a number of 2^63 or more
torch::Tensor to_native(torch::Tensor stored, bool is_big_endian, const std::string& what);

/// "float32", as PyTorch calls it.
std::string type_name(torch::ScalarType type);

/// @throws FileError, which calls them `what`, for more bytes than this machine's memory has
void check_memory(std::uint64_t bytes, const std::string& what);
/// Memory for an array. @throws FileError, which calls the array `what`, if this machine's memory
/// cannot hold it
torch::Tensor allocate(const std::vector<std::int64_t>& shape, torch::ScalarType type,
                       const std::string& what);

}  // namespace actswap
