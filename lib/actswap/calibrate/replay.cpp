#include <actswap/calibrate/copy_values.h>
#include <actswap/calibrate/replay.h>
#include <actswap/run/random_numbers.h>

namespace actswap {

Replay::Replay(Program& program, const Batches& batches, std::int64_t memory)
    : program_(program), memory_(memory) {
  for (const auto& batch : batches) {
    for (auto& states : states_) {
      states.push_back({.alive = program_.beginning(batch)});
    }
  }
}

std::vector<torch::Tensor> Replay::run(Which model, std::size_t batch,
                                       const std::vector<Moment>& moments, std::size_t settled) {
  const RandomNumbers same_for_both_models(batch);
  auto& kept = states_[model == Which::fitted ? 0 : 1].at(batch);
  State further;
  const bool goes_on = kept.position < settled && !program_.takes_gradients();
  if (goes_on) {
    std::vector<Moment> cut;
    for (const auto* value : program_.alive(settled)) {
      cut.push_back({value, settled});
    }
    further.position = settled;
    further.alive = program_.run(model, kept.position, kept.alive, cut);
    further.bytes = memory_of(further.alive);
    if (kept_ - kept.bytes + further.bytes <= memory_) {
      kept_ += further.bytes - kept.bytes;
      kept = std::move(further);
      further = State();
    }
  }
  const auto& from = goes_on && kept.position < settled ? further : kept;
  std::vector<torch::Tensor> tensors;
  for (const auto& value : program_.run(model, from.position, from.alive, moments)) {
    tensors.push_back(value.toTensor());
  }
  return tensors;
}

}  // namespace actswap
