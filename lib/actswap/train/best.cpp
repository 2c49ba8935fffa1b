#include <actswap/train/best.h>

namespace actswap {

bool Best::offer(double drop, const ModuleTensors& tensors) {
  without_improvement_ = drop < drop_ ? 0 : without_improvement_ + 1;
  if (!(drop <= drop_)) {
    return false;
  }
  drop_ = drop;
  if (keeps_) {
    values_ = tensors.copies();
  }
  return true;
}

}  // namespace actswap
