#include <actswap/calibrate/batch_memory.h>
#include <actswap/calibrate/fitted_tensors.h>
#include <actswap/calibrate/joint_error.h>
#include <actswap/data/even_batches.h>
#include <actswap/run/joined_runs.h>
#include <actswap/run/random_numbers.h>

#include <torch/script.h>

#include <algorithm>
#include <utility>

namespace actswap {

namespace {

constexpr std::size_t kShareHeldOut = 16;
// Fewer say too little of a channel's mean and deviation.
constexpr std::int64_t kLeastExamples = 8;
// Whose gradient tells what those of more take.
constexpr std::int64_t kProbedExamples = 2;
// That a gradient may take in any case: what is granted changes nothing for small models.
constexpr std::int64_t kLeastMemory = std::int64_t{64} << 20;

// Of what the original gives, and of a gradient; a quarter is for gaps between what comes and goes.
std::int64_t share_of(std::int64_t memory) {
  return memory / 8 * 3;
}

}  // namespace

std::size_t batches_held_out(std::size_t batches) {
  return batches < 2 ? batches : std::max<std::size_t>(1, batches / kShareHeldOut);
}

JointError::JointError(Program& program, const Neighbourhood& neighbours, const Batches& batches,
                       const InputStream* stream, const std::vector<torch::Tensor>& tensors,
                       std::int64_t memory, Together together)
    : program_(program),
      stream_(stream),
      memory_(share_of(memory)),
      together_(std::move(together)),
      errors_(program, neighbours) {
  if (batches.size() < 2 || errors_.moments().empty()) {
    return;
  }
  const auto of_gradient = std::max(kLeastMemory, share_of(memory));
  const auto step = batches_within(batches, tensors, of_gradient);
  const auto part = examples_within(batches.front(), tensors, of_gradient);
  batches_of_a_step_ = step.count;
  most_examples_ = together_.of_first(part.count);
  const auto beyond = std::max(step.bytes, part.bytes) - of_gradient;
  memory_ -= std::clamp<std::int64_t>(beyond, 0, memory_);
  const auto fitted = batches.size() - batches_held_out(batches.size());
  group(batches, 0, fitted);
  fitted_ = steps_.size();
  group(batches, fitted, batches.size());
}

bool JointError::is_possible() const {
  return !steps_.empty();
}

std::int64_t JointError::steps_of_a_pass() const {
  return static_cast<std::int64_t>(fitted_);
}

std::int64_t JointError::inputs_of(std::int64_t steps) const {
  if (stream_ != nullptr) {
    return stream_->examples(steps * batches_of_a_step_);
  }
  std::int64_t sum = 0;
  for (std::int64_t i = 0; i < std::min(steps, steps_of_a_pass()); ++i) {
    for (const auto& part : steps_[static_cast<std::size_t>(i)]) {
      for (const auto& inputs : part.runs) {
        sum += inputs.at(0).size(0);
      }
    }
  }
  return together_.sum(sum);
}

// Steps of some of the batches.
void JointError::group(const Batches& batches, std::size_t begin, std::size_t end) {
  const EvenBatches steps(static_cast<std::int64_t>(end - begin), batches_of_a_step_);
  const auto first = batches.begin() + static_cast<std::ptrdiff_t>(begin);
  for (std::int64_t i = 0; i < steps.count(); ++i) {
    steps_.push_back(parts_of({first + steps.begin(i), first + steps.begin(i + 1)}));
  }
}

std::vector<JointError::Part> JointError::parts_of(const Runs& batches) const {
  if (batches.size() == 1) {
    return split(batches.front(), most_examples_);
  }
  return {Part{.runs = batches}};
}

// Even parts of no more examples than this; 0: one. As many on each rank.
std::vector<JointError::Part> JointError::split(const Inputs& inputs,
                                                std::int64_t most_examples) const {
  const auto examples = inputs.at(0).size(0);
  const auto of_all = together_.sum(examples);
  const std::int64_t ranks = together_.share().count;
  const auto most_of_rank = (of_all + ranks - 1) / ranks;
  const auto count = most_examples == 0 ? 1 : (most_of_rank + most_examples - 1) / most_examples;
  std::vector<Part> parts;
  for (std::int64_t i = 0; i < count; ++i) {
    const auto begin = i * examples / count;
    const auto length = (i + 1) * examples / count - begin;
    Part part;
    part.share = static_cast<double>(length) / static_cast<double>(of_all);
    auto& run = part.runs.emplace_back();
    for (const auto& input : inputs) {
      run.push_back(count == 1 ? input : input.narrow(0, begin, length));
    }
    parts.push_back(std::move(part));
  }
  return parts;
}

// With what the original gives for them.
GradientMemory JointError::taken_by_gradient(const Runs& runs,
                                             const std::vector<torch::Tensor>& tensors) {
  const auto targets = original(runs);
  const torch::AutoGradMode with_gradients(true);
  const RequireGradients require_gradients(tensors);
  auto taken = memory_of_gradient(
      [&] { return errors_.mean(values(Which::fitted, runs), targets); }, tensors);
  const auto bytes = bytes_of(targets);
  taken.forward += bytes;
  taken.all += bytes;
  return taken;
}

// How many examples a part may have, so that its gradient takes no more than these bytes; 0: all of
// a batch.
Fitting JointError::examples_within(const Inputs& batch, const std::vector<torch::Tensor>& tensors,
                                    std::int64_t memory) {
  const auto examples = batch.at(0).size(0);
  if (examples <= kLeastExamples) {
    return {};
  }
  const auto taken_by = [&](std::int64_t count) {
    Inputs inputs;
    for (const auto& input : batch) {
      inputs.push_back(input.narrow(0, 0, count));
    }
    return taken_by_gradient({inputs}, tensors);
  };
  auto found = fitting_into(memory, taken_by, kProbedExamples, kLeastExamples, /*unless_known=*/0);
  if (found.count >= examples) {
    found = {};
  }
  return found;
}

// How many batches of a few examples a step has.
Fitting JointError::batches_within(const Batches& batches,
                                   const std::vector<torch::Tensor>& tensors, std::int64_t memory) {
  const auto examples = batches.front().at(0).size(0);
  if (examples >= kLeastExamples || !together_.is_alone()) {
    return {.count = 1};
  }
  const auto taken_by = [&](std::int64_t count) {
    return taken_by_gradient({batches.begin(), batches.begin() + count}, tensors);
  };
  auto found = fitting_into(memory, taken_by, /*few=*/1, /*least=*/1, /*unless_known=*/1);
  found.count = std::min(found.count, (kLeastExamples + examples - 1) / examples);
  return found;
}

JointError::Values JointError::values(Which model, const Runs& runs) {
  Values found;
  for (const auto& inputs : runs) {
    const RandomNumbers same_for_both_models(0);
    const auto given = program_.run(model, 0, program_.beginning(inputs), errors_.moments());
    Values values;
    for (const auto& value : given) {
      values.push_back(value.toTensor());
    }
    append_values(found, values);
  }
  return found;
}

JointError::Values JointError::original(const Runs& runs) {
  const torch::NoGradGuard no_grad;
  return values(Which::original, runs);
}

torch::Tensor JointError::error(Part& part) {
  const auto targets = part.original.empty() ? original(part.runs) : part.original;
  const auto bytes = bytes_of(targets);
  if (part.original.empty() && part.is_kept && bytes <= memory_) {
    memory_ -= bytes;
    part.original = targets;
  }
  return errors_.mean(values(Which::fitted, part.runs), targets, together_);
}

double JointError::held_out() {
  const torch::NoGradGuard no_grad;
  double sum = 0.0;
  for (auto i = fitted_; i < steps_.size(); ++i) {
    for (auto& part : steps_[i]) {
      sum += part.share * error(part).item<double>();
    }
  }
  return together_.sum(sum) / static_cast<double>(steps_.size() - fitted_);
}

void JointError::for_each_part(std::int64_t step, bool of_stream,
                               const std::function<void(const torch::Tensor& error)>& take) {
  std::vector<Part> drawn;
  if (of_stream && stream_ != nullptr) {
    Runs batches;
    for (std::int64_t i = 0; i < batches_of_a_step_; ++i) {
      batches.push_back(stream_->batch(step * batches_of_a_step_ + i));
    }
    drawn = parts_of(batches);
    for (auto& part : drawn) {
      part.is_kept = false;
    }
  }
  auto& parts = drawn.empty() ? steps_[static_cast<std::size_t>(step % steps_of_a_pass())] : drawn;
  for (auto& part : parts) {
    take(part.share * error(part));
  }
}

}  // namespace actswap
