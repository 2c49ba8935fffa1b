// How many units of each group go, so that a model fits a budget at the least loss.
#pragma once

#include <actswap/base/export.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace actswap {

/// A tensor of the model whose sizes follow the units that are kept.
struct SizedTensor {
  struct Units {
    std::size_t group = 0;
    double width = 1.0;  ///< entries that each unit has in this dimension, in the mean
  };
  struct Dimension {
    double fixed = 0.0;  ///< entries that belong to no unit
    std::vector<Units> units = {};
  };
  std::vector<Dimension> dimensions;
  /// That each of its elements takes part in, for one example; 0: it is not the weight of a layer.
  double multiplications = 0.0;
  bool is_parameter = true;  ///< otherwise a buffer

  /// Number of elements. @param kept units of each group
  double elements(const std::vector<std::int64_t>& kept) const;
};

/// What a model costs, as a function of the units that are kept.
struct SizeModel {
  std::vector<SizedTensor> tensors;  ///< those that the units change
  double other_parameters = 0.0;     ///< elements of all other parameters

  double parameters(const std::vector<std::int64_t>& kept) const;
  /// Of the layers that the units change: what can be pruned.
  double prunable_multiplications(const std::vector<std::int64_t>& kept) const;
};

/// What is known of the units of one group.
struct GroupCurve {
  std::int64_t units = 0;
  std::int64_t least = 1;    ///< units that stay; all of them where it is protected
  std::int64_t dead = 0;     ///< of the first of the curve: their removal changes nothing
  std::vector<double> loss;  ///< after so many are removed: shares of variance, from 0
};

/// What the pruned model is to fit into.
struct PruneBudget {
  enum class Kind {
    multiplications,  ///< the share of prunable multiplications that goes
    parameters,       ///< the parameters that stay
    latency,          ///< the latency that stays, a share of that before
  };
  Kind kind = Kind::multiplications;
  double value = 0.0;

  /// "0.6x" is a latency, "2M", "500k" or "1500000" a number of parameters. @throws UsageError
  static ACTSWAP_API PruneBudget parse(std::string_view text);
  /// @throws UsageError for a value outside its range
  ACTSWAP_API void validate() const;
};
/// After "prune": "by 50 % of the multiplications that can be pruned", "to 0.6 of the latency", "to
/// 2000000 parameters".
ACTSWAP_API std::string to_string(const PruneBudget& budget);

/// The multiple of which the units that stay are by default: 8 of a group of 32 units or more, 4 of
/// 16 or more, otherwise 1. ONNX Runtime computes convolutions in blocks of channels, and only
/// where their number is a multiple of 4; vector units like such numbers as well.
/// @param units of a group
ACTSWAP_API std::int64_t usual_multiple(std::int64_t units);

/// One queue over all groups. Dead units go first. Then again and again the group gives a multiple
/// of its units that loses least for what it saves, in `size`, until the size is `target` at most.
/// The loss of a group with the loss e is -log(1 - e): a group that has lost nearly all of its
/// variance is not emptied, however much that saves. What the last multiple saved too much comes
/// back.
/// @param groups what each loses by its units
/// @param size of the model with so many units in each group; falls with each of them
/// @param target in the unit of `size`
/// @param round the units that stay are a multiple of it, where a group has so many; 0: of
///   usual_multiple
/// @return the units of each group that stay. Where all groups are at their least the size may
///   still be above the target.
std::vector<std::int64_t> choose_counts(
    const std::vector<GroupCurve>& groups,
    const std::function<double(const std::vector<std::int64_t>& kept)>& size, double target,
    std::int64_t round);

}  // namespace actswap
