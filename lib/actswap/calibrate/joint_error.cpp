#include <actswap/base/error.h>
#include <actswap/base/out_of_memory.h>
#include <actswap/calibrate/batch_memory.h>
#include <actswap/calibrate/fitted_tensors.h>
#include <actswap/calibrate/joint_error.h>
#include <actswap/run/allocations.h>
#include <actswap/run/random_numbers.h>

#include <torch/csrc/autograd/autograd.h>
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
  for (const auto& batch : batches) {
    batches_.push_back(split(batch, 0));
  }
  if (is_possible()) {
    most_examples_ =
        together_.of_first(examples_within(tensors, std::max(kLeastMemory, share_of(memory))));
    for (auto& batch : batches_) {
      batch = split(Inputs(batch.front().inputs), most_examples_);
    }
  }
}

bool JointError::is_possible() const {
  return batches_.size() > 1 && !errors_.moments().empty();
}

std::size_t JointError::fitted_batches() const {
  return batches_.size() - batches_held_out(batches_.size());
}

std::int64_t JointError::steps_of_a_pass() const {
  return static_cast<std::int64_t>(fitted_batches());
}

std::int64_t JointError::inputs_of(std::int64_t steps) const {
  if (stream_ != nullptr) {
    return stream_->examples(steps);
  }
  std::int64_t sum = 0;
  for (std::int64_t i = 0; i < std::min(steps, steps_of_a_pass()); ++i) {
    for (const auto& part : batches_[static_cast<std::size_t>(i)]) {
      sum += part.inputs.at(0).size(0);
    }
  }
  return together_.sum(sum);
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
    for (const auto& input : inputs) {
      part.inputs.push_back(count == 1 ? input : input.narrow(0, begin, length));
    }
    parts.push_back(std::move(part));
  }
  return parts;
}

// Of the first examples of the first batch, beside what the original gives for them.
std::int64_t JointError::taken_by_gradient(const std::vector<torch::Tensor>& tensors,
                                           std::int64_t examples) {
  Inputs inputs;
  for (const auto& input : batches_.front().front().inputs) {
    inputs.push_back(input.narrow(0, 0, examples));
  }
  const auto targets = original(inputs);
  const torch::AutoGradMode with_gradients(true);
  const RequireGradients require_gradients(tensors);
  return most_allocated([&] {
    torch::autograd::grad({errors_.mean(values(Which::fitted, inputs), targets)}, tensors, {},
                          /*retain_graph=*/false, /*create_graph=*/false, /*allow_unused=*/true);
  });
}

// How many examples a part may have, so that its gradient takes no more than these bytes; 0: all of
// a batch.
std::int64_t JointError::examples_within(const std::vector<torch::Tensor>& tensors,
                                         std::int64_t memory) {
  const auto examples = batches_.front().front().inputs.at(0).size(0);
  if (examples <= kLeastExamples) {
    return 0;
  }
  try {
    const auto few = taken_by_gradient(tensors, kProbedExamples);
    const auto more = taken_by_gradient(tensors, 2 * kProbedExamples);
    // Part of it may be for the weights, whatever the number of examples.
    const auto each = std::max<std::int64_t>(1, (more - few) / kProbedExamples);
    const auto most = std::max(kLeastExamples, kProbedExamples + (memory - few) / each);
    return most < examples ? most : 0;
  } catch (const UsageError&) {  // the number of examples stands in a traced model
    return 0;
  } catch (const std::exception& problem) {
    if (is_out_of_memory(problem)) {
      throw;
    }
    return 0;  // there is no gradient, which the fit will say
  }
}

JointError::Values JointError::values(Which model, const Inputs& inputs) {
  const RandomNumbers same_for_both_models(0);
  Values found;
  for (const auto& value : program_.run(model, 0, program_.beginning(inputs), errors_.moments())) {
    found.push_back(value.toTensor());
  }
  return found;
}

JointError::Values JointError::original(const Inputs& inputs) {
  const torch::NoGradGuard no_grad;
  return values(Which::original, inputs);
}

torch::Tensor JointError::error(Part& part) {
  const auto targets = part.original.empty() ? original(part.inputs) : part.original;
  const auto bytes = bytes_of(targets);
  if (part.original.empty() && part.is_kept && bytes <= memory_) {
    memory_ -= bytes;
    part.original = targets;
  }
  return errors_.mean(values(Which::fitted, part.inputs), targets, together_);
}

double JointError::held_out() {
  const torch::NoGradGuard no_grad;
  double sum = 0.0;
  for (std::size_t i = fitted_batches(); i < batches_.size(); ++i) {
    for (auto& part : batches_[i]) {
      sum += part.share * error(part).item<double>();
    }
  }
  return together_.sum(sum) / static_cast<double>(batches_held_out(batches_.size()));
}

void JointError::for_each_part(std::int64_t step, bool of_stream,
                               const std::function<void(const torch::Tensor& error)>& take) {
  std::vector<Part> drawn;
  if (of_stream && stream_ != nullptr) {
    drawn = split(stream_->batch(step), most_examples_);
    for (auto& part : drawn) {
      part.is_kept = false;
    }
  }
  auto& parts =
      drawn.empty() ? batches_[static_cast<std::size_t>(step % steps_of_a_pass())] : drawn;
  for (auto& part : parts) {
    take(part.share * error(part));
  }
}

}  // namespace actswap
