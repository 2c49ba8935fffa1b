// Chooses how many units of each group go, so that a model fits a budget at the least loss.
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

/// A tensor of the model whose sizes depend on the kept units.
struct SizedTensor {
  struct Units {
    std::size_t group = 0;
    double width = 1.0;  ///< mean number of entries of a unit in this dimension
  };
  struct Dimension {
    double fixed = 0.0;  ///< entries that belong to no unit
    std::vector<Units> units = {};
  };
  std::vector<Dimension> dimensions;
  /// Multiplications with each of its elements for one example; 0: it is no layer's weight.
  double multiplications = 0.0;
  bool is_parameter = true;  ///< otherwise a buffer

  /// Number of elements. @param kept units of each group
  double elements(const std::vector<std::int64_t>& kept) const;
};

/// The cost of a model, as a function of the kept units.
struct SizeModel {
  std::vector<SizedTensor> tensors;  ///< those that the units change
  double other_parameters = 0.0;     ///< elements of all other parameters

  double parameters(const std::vector<std::int64_t>& kept) const;
  /// Of the layers that the units change: only these can become fewer.
  double prunable_multiplications(const std::vector<std::int64_t>& kept) const;
};

/// The losses from removing units of one group.
struct GroupCurve {
  std::int64_t units = 0;
  std::int64_t least = 1;    ///< fewest units that stay; all in a protected group
  std::int64_t dead = 0;     ///< how many go first because their removal changes nothing
  std::vector<double> loss;  ///< by the number of removed units: shares of variance, from 0
};

/// The budget that the pruned model must fit into.
struct PruneBudget {
  enum class Kind {
    multiplications,  ///< the share of prunable multiplications that goes
    parameters,       ///< the parameters that stay
    latency,          ///< the latency that stays, as a share of the original's
  };
  Kind kind = Kind::multiplications;
  double value = 0.0;

  /// "0.6x" is a latency, "2M", "500k" or "1500000" a number of parameters. @throws UsageError
  static ACTSWAP_API PruneBudget parse(std::string_view text);
  /// @throws UsageError for a value outside its range
  ACTSWAP_API void validate() const;
};
/// Continues "prune ...": "by 50 % of the multiplications that can be pruned", "to 0.6 of the
/// latency", "to 2000000 parameters".
ACTSWAP_API std::string to_string(const PruneBudget& budget);

/// By default a group keeps a multiple of this many units: 8 with 32 units or more, 4 with 16 or
/// more, otherwise 1. ONNX Runtime computes convolutions in blocks of channels only if their number
/// is a multiple of 4; vector units like such numbers as well.
/// @param units of a group
ACTSWAP_API std::int64_t usual_multiple(std::int64_t units);

/// Serves all groups from one queue. Dead units go first. Then, again and again, the group that
/// loses least for each bit of `size` saved gives up a multiple of its units, until `size` is at
/// most `target`. A group that has lost the share e of its variance counts with -log(1 - e), so the
/// queue does not empty it merely because that saves much. If the last multiple saved more than
/// needed, units come back.
/// @param groups the losses of each group
/// @param size of the model with this many units in each group; falls with each unit removed
/// @param target in the unit of `size`
/// @param round each group keeps a multiple of this many units if it has enough; 0: of
///   usual_multiple
/// @return how many units each group keeps. If all groups are at their least, the size may still be
///   above the target.
std::vector<std::int64_t> choose_counts(
    const std::vector<GroupCurve>& groups,
    const std::function<double(const std::vector<std::int64_t>& kept)>& size, double target,
    std::int64_t round);

}  // namespace actswap
