// Data from files, read when it is needed unless it is in memory.
#pragma once

#include <actswap/base/export.h>
#include <actswap/data/dataset.h>

#include <memory>
#include <string>
#include <vector>

namespace actswap {

struct DataOptions;
struct Parts;

class ACTSWAP_API LoadedData : public Dataset {
 public:
  /// For load_data. @throws FileError if columns differ in the number of examples, or the first
  /// example cannot be read; UsageError if the options do not fit the inputs, and for a NaN or an
  /// infinity as in get(), in any example of a tensor of up to 2^28 bytes
  LoadedData(Parts parts, const DataOptions& options, const std::string& path);
  ~LoadedData() override;

  std::int64_t size() const override;
  /// May be called by several threads.
  /// @throws FileError that names the file and the example, if it cannot be read; UsageError for
  ///   indices outside of [0, size()), for images of different sizes, and for a NaN or an infinity,
  ///   with the example; but an input that otherwise holds only 0 may have minus infinity (a mask)
  Example get(std::span<const std::int64_t> indices) const override;

  /// How the examples are read, in a line: "60000 examples; input 'images' 1 x 28 x 28 (uint8 /
  /// 255, not normalised); target 'labels' (int64)".
  const std::string& description() const { return description_; }
  /// The mean and deviation that the inputs were given.
  const DataOptions& options() const { return *options_; }

  /// The names of the classes that the first target numbers, where the files say them (folders,
  /// text in a table); otherwise empty.
  std::vector<std::string> classes() const;

  /// The first target of all examples, read without the inputs; undefined if there is none or it
  /// has more than `most` numbers.
  torch::Tensor target(std::int64_t most = std::int64_t{1} << 24) const;

 private:
  std::string describe() const;

  std::unique_ptr<const Parts> parts_;
  std::unique_ptr<const DataOptions> options_;
  std::int64_t size_ = 0;
  std::string description_ = {};
};

/// Checks that two sets of one conversion number their classes alike, as far as their files tell.
/// @param one may be null
/// @param other may be null
/// @param what names them for the message: "training and validation"
/// @throws UsageError if one has classes that the other lacks: their numbers would differ
ACTSWAP_API void check_same_classes(const Dataset* one, const Dataset* other, const char* what);

}  // namespace actswap
