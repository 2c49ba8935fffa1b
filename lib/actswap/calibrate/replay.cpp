#include <actswap/base/error.h>
#include <actswap/calibrate/copy_values.h>
#include <actswap/calibrate/replay.h>

#include <algorithm>
#include <string>

namespace actswap {

Replay::Replay(Program& program, const Batches& batches, std::int64_t memory)
    : program_(program), memory_(memory) {
  for (const auto& batch : batches) {
    for (auto& states : states_) {
      states.push_back(at_beginning(batch));
    }
  }
}

// What forward is given, and its own defaults for the rest.
Replay::State Replay::at_beginning(const std::vector<torch::Tensor>& inputs) const {
  const auto& arguments =
      program_.module().get_method("forward").function().getSchema().arguments();
  std::vector<c10::IValue> values;
  for (std::size_t i = 1; i < arguments.size(); ++i) {
    if (i - 1 < inputs.size()) {
      values.emplace_back(inputs[i - 1]);
    } else if (arguments[i].default_value()) {
      values.push_back(*arguments[i].default_value());
    }
  }
  if (values.size() + 1 != arguments.size() || inputs.size() >= arguments.size()) {
    throw UsageError("Expected " + std::to_string(arguments.size() - 1) +
                     " inputs of the model, but got " + std::to_string(inputs.size()));
  }
  State state;
  for (const auto* value : program_.alive(0)) {
    state.alive.push_back(values.at(value->offset() - 1));
  }
  return state;
}

std::vector<torch::Tensor> Replay::run(Which model, std::size_t batch,
                                       const std::vector<Moment>& moments, std::size_t settled) {
  auto& kept = states_[model == Which::fitted ? 0 : 1].at(batch);
  State further;
  if (kept.position < settled) {
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
  const auto& from = kept.position < settled ? further : kept;
  std::vector<torch::Tensor> tensors;
  for (const auto& value : program_.run(model, from.position, from.alive, moments)) {
    tensors.push_back(value.toTensor());
  }
  return tensors;
}

}  // namespace actswap
