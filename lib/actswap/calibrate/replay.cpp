#include <actswap/calibrate/copy_values.h>
#include <actswap/calibrate/replay.h>
#include <actswap/run/random_numbers.h>

#include <utility>

namespace actswap {

Replay::Replay(Program& program, const Batches& batches) : program_(program), batches_(batches) {
  forget();
}

Replay::State Replay::state_of(std::size_t batch) const {
  return {.alive = program_.beginning(batches_.at(batch))};
}

void Replay::forget() {
  kept_ = 0;
  for (auto& states : states_) {
    states.clear();
    for (std::size_t batch = 0; batch < batches_.size(); ++batch) {
      states.push_back(state_of(batch));
    }
  }
}

// All that is alive there.
const std::vector<Moment>& Replay::cut(std::size_t position) {
  auto [found, is_new] = cuts_.try_emplace(position);
  if (is_new) {
    for (const auto* value : program_.alive(position)) {
      found->second.push_back({value, position});
    }
  }
  return found->second;
}

Replay::State Replay::advanced(Which model, const State& state, std::size_t settled) {
  State further = {.position = settled,
                   .alive = program_.run(model, state.position, state.alive, cut(settled))};
  further.bytes = memory_of(further.alive);
  return further;
}

std::vector<std::int64_t> Replay::bytes_at(std::size_t batch,
                                           const std::vector<std::size_t>& positions) {
  const RandomNumbers same_for_both_models(batch);
  auto state = state_of(batch);
  std::vector<std::int64_t> bytes;
  bytes.reserve(positions.size());
  for (const auto position : positions) {
    if (state.position < position) {
      state = advanced(Which::original, state, position);
    }
    bytes.push_back(state.bytes);
  }
  return bytes;
}

std::vector<torch::Tensor> Replay::run(Which model, std::size_t batch,
                                       const std::vector<Moment>& moments, std::size_t settled) {
  const RandomNumbers same_for_both_models(batch);
  auto& state = states_[model == Which::fitted ? 0 : 1].at(batch);
  if (state.position < settled && !program_.takes_gradients()) {
    auto further = advanced(model, state, settled);
    kept_ += further.bytes - state.bytes;
    state = std::move(further);
  }
  std::vector<torch::Tensor> tensors;
  tensors.reserve(moments.size());
  for (const auto& value : program_.run(model, state.position, state.alive, moments)) {
    tensors.push_back(value.toTensor());
  }
  return tensors;
}

}  // namespace actswap
