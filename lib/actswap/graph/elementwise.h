// The operators that hand-written activations consist of, in addition to those in the table of
// activations.
#pragma once

#include <string>
#include <vector>

namespace actswap {

using Arguments = std::vector<double>;

/// Which type of numbers an operator gives.
enum class TypeRule {
  promoted,   ///< what its operands promote to
  as_option,  ///< that of its operand, unless an argument `dtype` says another
  boolean,
};

struct Elementwise {
  std::size_t operands;  ///< most arguments it may have; div with a rounding mode is another one
  double (*value)(const Arguments&);
  std::size_t needed = 1;  ///< fewer make another operator: max(x) is a reduction
  TypeRule type = TypeRule::promoted;
};

/// The elementwise operator of this name with this many arguments; nullptr if there is none. An
/// omitted argument counts as 1: the alpha of add.
const Elementwise* find_elementwise(const std::string& name, std::size_t arguments);

}  // namespace actswap
