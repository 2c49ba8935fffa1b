#include <actswap/base/error.h>
#include <actswap/base/memory.h>
#include <actswap/calibrate/both_models.h>

#include <algorithm>
#include <ranges>
#include <set>
#include <unordered_map>
#include <utility>

namespace actswap {

BothModels::BothModels(Program& program, const Batches& batches, std::int64_t memory,
                       std::function<bool()> should_stop, Together together)
    : program_(program),
      batches_(batches),
      together_(std::move(together)),
      replay_(program, batches),
      memory_(memory),
      should_stop_(std::move(should_stop)) {
  for (const auto& batch : batches) {
    sizes_.push_back(together_.sum(batch.front().size(0)));
  }
  give_back_freed_memory();  // what was freed before would count as in use
  resident_before_ = resident_memory();
}

void BothModels::begin_run() const {
  check_interruption();
  give_back_beyond(memory_ / 8 * 3);
}

// What is kept grows and shrinks among what comes and goes, which leaves gaps.
void BothModels::give_back_beyond(std::int64_t bytes) const {
  if (resident_memory() > resident_before_ + bytes) {
    give_back_freed_memory();
  }
}

void BothModels::plan(const std::vector<Settled>& steps, std::int64_t memory) {
  steps_.clear();
  for (const auto& settled : steps) {
    steps_.push_back({settled, batches_.size()});
  }
  if (program_.takes_gradients()) {  // nothing is kept
    return;
  }
  std::set<std::size_t> positions;
  for (const auto& [fitted, original] : steps) {
    positions.insert({fitted, original});
  }
  const std::vector<std::size_t> in_order(positions.begin(), positions.end());
  auto bytes = replay_.bytes_at(0, in_order);
  if (!bytes.empty()) {  // ranks have to look at the same batches
    together_.take_from_first(
        {torch::from_blob(bytes.data(), {static_cast<std::int64_t>(bytes.size())}, torch::kLong)});
  }
  std::unordered_map<std::size_t, std::int64_t> bytes_at;
  for (std::size_t i = 0; i < in_order.size(); ++i) {
    bytes_at[in_order[i]] = bytes[i];
  }
  std::int64_t most = 1;  // of one batch, from this step on
  for (auto& step : std::views::reverse(steps_)) {
    most = std::max(most, bytes_at[step.settled.fitted] + bytes_at[step.settled.original]);
    const auto fit = static_cast<std::size_t>(memory / most);
    step.batches = std::clamp<std::size_t>(fit, 1, batches_.size());
  }
}

void BothModels::end_steps() {
  replay_.forget();
  give_back_freed_memory();
}

std::size_t BothModels::batches() const {
  return steps_.at(step_).batches;
}

std::vector<torch::Tensor> BothModels::now(std::size_t batch, const std::vector<Moment>& moments) {
  begin_run();
  return replay_.run(Which::fitted, batch, moments, steps_.at(step_).settled.fitted);
}

std::vector<torch::Tensor> BothModels::before(std::size_t batch,
                                              const std::vector<Moment>& moments) {
  begin_run();
  return replay_.run(Which::original, batch, moments, steps_.at(step_).settled.original);
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
