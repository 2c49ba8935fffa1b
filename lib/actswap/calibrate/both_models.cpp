#include <actswap/base/error.h>
#include <actswap/calibrate/both_models.h>

#include <algorithm>
#include <utility>

namespace actswap {

BothModels::BothModels(Program& program, const Batches& batches, std::int64_t memory,
                       std::function<bool()> should_stop)
    : program_(program),
      batches_(batches),
      replay_(program, batches, memory),
      should_stop_(std::move(should_stop)) {}

std::vector<torch::Tensor> BothModels::now(std::size_t batch, const std::vector<Moment>& moments) {
  check_interruption();
  return replay_.run(Which::fitted, batch, moments, settled_.fitted);
}

std::vector<torch::Tensor> BothModels::before(std::size_t batch,
                                              const std::vector<Moment>& moments) {
  check_interruption();
  return replay_.run(Which::original, batch, moments, settled_.original);
}

Moment BothModels::read_by(const torch::jit::Node* reader, const torch::jit::Value* value) const {
  return {value, program_.position(reader)};
}

Moment BothModels::made(const torch::jit::Value* value) const {
  return {value, program_.position(value->node()) + 1};
}

std::size_t BothModels::batches_for(std::int64_t rows, std::int64_t rows_of_batch) const {
  const auto needed = std::max((rows + rows_of_batch - 1) / rows_of_batch,
                               (kChannelExamples + size(0) - 1) / size(0));
  return std::min(batches(), static_cast<std::size_t>(needed));
}

void BothModels::check_interruption() const {
  if (should_stop_ && should_stop_()) {
    throw Interrupted("The calibration was stopped");
  }
}

}  // namespace actswap
