// Whether the targets of a data set can be the classes of a model's output.
#pragma once

#include <actswap/base/export.h>
#include <actswap/data/dataset.h>

#include <cstdint>
#include <string>

namespace actswap {

/// The first target of all examples, if the data set has it in memory or can read it without the
/// inputs (LoadedData::target), otherwise of the first 1024. Undefined if there is none.
torch::Tensor first_targets(const Dataset& data);

/// Integer targets against the classes 0, 1, ..., classes - 1.
struct ACTSWAP_API LabelRange {
  std::int64_t classes = 0;
  std::int64_t count = 0;    ///< numbers checked
  std::int64_t outside = 0;  ///< how many of these are not a class
  std::int64_t example = 0;  ///< the first example with such a number
  std::int64_t label = 0;    ///< that number

  /// Whether these are labels, some of them wrong, rather than numbers with another meaning.
  bool are_mostly_classes() const { return classes > 1 && outside > 0 && 2 * outside <= count; }
  /// @param what for the message: "training"
  /// @throws UsageError that names the example, where any number is outside
  void expect_classes(const std::string& what) const;
};

/// Checks the first targets if they are integers; otherwise the count is 0.
ACTSWAP_API LabelRange label_range(const Dataset& data, std::int64_t classes);

}  // namespace actswap
