#include <actswap/calibrate/move_input.h>

#include <torch/script.h>

#include <cstdint>
#include <vector>

namespace actswap {

// With x = f b + o + w u: f b' = scale f b + (scale - 1) o + shift, and w' = scale w.
InputChange move_input(const BlendSite& site, const InputChange& change) {
  const auto inverse = bounded_reciprocal(site.line.factor).expand({site.bias.numel()});
  const auto can_move = inverse != 0.0;
  const auto scale =
      torch::where(can_move, change.scale.to(torch::kDouble), torch::ones_like(inverse));
  const auto shift =
      torch::where(can_move, change.shift.to(torch::kDouble), torch::zeros_like(inverse));
  const auto bias =
      scale * site.bias.to(torch::kDouble) + inverse * ((scale - 1.0) * site.line.offset + shift);
  torch::Tensor(site.bias).copy_(bias);
  if (site.weight.defined()) {
    std::vector<std::int64_t> shape(static_cast<std::size_t>(site.weight.dim()), 1);
    shape[0] = -1;
    torch::Tensor(site.weight).mul_(scale.reshape(shape).to(site.weight.dtype()));
  }
  return {scale.to(change.scale.dtype()), shift.to(change.shift.dtype())};
}

}  // namespace actswap
