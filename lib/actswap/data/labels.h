// Whether the targets of a data set can be the classes of a model's output.
#pragma once

#include <actswap/base/export.h>
#include <actswap/data/dataset.h>

#include <cstdint>
#include <string>

namespace actswap {

/// The first target of all examples, where the data set has it in memory or can read it without the
/// inputs (LoadedData::target); of other data that of the first 1024. Undefined: there is none.
torch::Tensor first_targets(const Dataset& data);

/// Integer targets against the classes 0, 1, ..., classes - 1.
struct ACTSWAP_API LabelRange {
  std::int64_t classes = 0;
  std::int64_t count = 0;    ///< numbers that were looked at
  std::int64_t outside = 0;  ///< of these are no class
  std::int64_t example = 0;  ///< the first with one that is none
  std::int64_t label = 0;    ///< which number that is

  /// Labels of which some are wrong, rather than numbers that mean something else.
  bool are_mostly_classes() const { return classes > 1 && outside > 0 && 2 * outside <= count; }
  /// @param what for the message: "training"
  /// @throws UsageError that names the example, where any number is outside
  void expect_classes(const std::string& what) const;
};

/// Of the first targets, if they are integers; otherwise the count is 0.
ACTSWAP_API LabelRange label_range(const Dataset& data, std::int64_t classes);

}  // namespace actswap
