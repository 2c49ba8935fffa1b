// The operators that hand-written activations are made of, beside those that the table of
// activations knows.
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
  std::size_t operands;  ///< all the arguments it may have; div with a rounding mode is another
  double (*value)(const Arguments&);
  std::size_t needed = 1;  ///< fewer make another operator: max(x) is a reduction
  TypeRule type = TypeRule::promoted;
};

/// The elementwise operator of this name with so many arguments; nullptr where there is none. An
/// argument that is left out counts as 1: the alpha of add.
const Elementwise* find_elementwise(const std::string& name, std::size_t arguments);

}  // namespace actswap
