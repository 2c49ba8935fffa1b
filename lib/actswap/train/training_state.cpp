// What a training is at a moment: saved, restored, and gone back to.
#include <actswap/base/error.h>
#include <actswap/checkpoint/fields.h>
#include <actswap/run/random_numbers.h>
#include <actswap/train/training.h>

#include <torch/script.h>

#include <algorithm>
#include <chrono>
#include <sstream>

namespace actswap {

namespace {

// Along a training; of a short one, each step.
constexpr std::int64_t kGoodStates = 20;

}  // namespace

void Training::save_at(SavePoint point) {
  if (callbacks_.save && callbacks_.saves_at && callbacks_.saves_at(point)) {
    callbacks_.save(state());
  }
}

// Between two steps.
State Training::state() {
  place_.seconds = seconds();
  State state = module_state();
  FieldWriter fields(state);
  fields("retries", retries_);
  fields("good", good_);
  return state;
}

State Training::module_state() {
  State state;
  FieldWriter fields(state);
  fields("place", place_);
  fields("module", tensors_.now());
  fields("numbers", tensors_.numbers());
  fields("optimizer", optimizer_);
  fields("scale", scale_);
  fields("best", best_);
  if (averaging_) {
    fields("averaging", *averaging_);
  }
  if (loop_) {
    fields("loop", *loop_);
  }
  if (divergence_) {
    fields("divergence", *divergence_);
  }
  fields("generator", RandomPosition().state());
  if (callbacks_.state_of_blends) {
    fields("blends", callbacks_.state_of_blends());
  }
  return state;
}

void Training::restore_module(const State& state) {
  FieldReader fields(state);
  fields("place", place_);
  std::vector<torch::Tensor> tensors;
  fields("module", tensors);
  tensors_.write(tensors);
  std::vector<c10::IValue> numbers;
  fields("numbers", numbers);
  tensors_.write_numbers(numbers);
  fields("optimizer", optimizer_);
  fields("scale", scale_);
  fields("best", best_);
  if (averaging_) {
    fields("averaging", *averaging_);
  }
  if (loop_) {
    fields("loop", *loop_);
  }
  fields("divergence", *divergence_);
  torch::Tensor generator;
  fields("generator", generator);
  RandomPosition(generator).take_up();
  if (callbacks_.restore_blends) {
    callbacks_.restore_blends(state.part("blends"));
  }
}

// The module is as it was before the first step: what was measured there is measured again.
void Training::take_up(const State& state) {
  if (!state.has_part("divergence")) {
    return;  // it was saved before the first step
  }
  begin(move());
  restore_module(state);
  FieldReader fields(state);
  fields("retries", retries_);
  fields("good", good_);
  begin_ -= std::chrono::duration_cast<std::chrono::steady_clock::duration>(
      std::chrono::duration<double>(place_.seconds));
}

void Training::keep_good_state() {
  const auto every = std::max<std::int64_t>(1, total_steps_ / kGoodStates);
  if (options_.retries == 0 || place_.step % every != 0 || divergence_->is_above()) {
    return;
  }
  expect_finite_parameters(options_.learning_rate);
  good_ = module_state().copy();
}

void Training::go_back(const std::string& reason) {
  ++retries_.count;
  retries_.factor *= 0.5;
  Retry retry;
  retry.step = std::min(place_.step + 1, total_steps_);
  retry.reason = reason;
  retry.learning_rate = options_.learning_rate * retries_.factor;
  restore_module(good_);
  optimizer_.zero_grad();
  retry.back_to = place_.step;
  if (callbacks_.on_retry) {
    callbacks_.on_retry(retry);
  }
}

double Training::rate_now() const {
  return retries_.factor * learning_rate_at(place_.step, total_steps_, options_);
}

void Training::expect_finite_parameters(double rate) const {
  for (const auto& parameter : parameters_) {
    if (!torch::isfinite(parameter.detach()).all().item<bool>()) {
      explode("parameters are no longer finite", rate);
    }
  }
}

void Training::explode(const std::string& what, double rate) const {
  if (retries_.count < options_.retries && !good_.is_empty()) {
    throw Explosion{what};
  }
  std::ostringstream text;
  text << "Training diverged at step " << std::min(place_.step + 1, total_steps_) << " of "
       << total_steps_ << ": " << what << ", at the learning rate " << rate;
  if (retries_.count > 0) {
    text << ", after " << retries_.count << (retries_.count == 1 ? " retry" : " retries")
         << " at half the rate each";
  }
  text << "; a lower learning rate, clip_norm or a longer ramp may help";
  throw Diverged(text.str());
}

}  // namespace actswap
