#include <actswap/base/clock.h>
#include <actswap/base/error.h>
#include <actswap/base/out_of_memory.h>
#include <actswap/graph/model.h>
#include <actswap/train/trainable.h>
#include <actswap/train/training.h>

#include <torch/script.h>
#include <torch/utils.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <numeric>
#include <utility>

namespace actswap {

namespace {

// The loader has no other way to end an epoch early, as a last epoch that is a fraction must.
struct BudgetSpent {};

class LeaveInEvalMode {
 public:
  explicit LeaveInEvalMode(torch::jit::Module& module) : module_(module) {}
  LeaveInEvalMode(const LeaveInEvalMode&) = delete;
  LeaveInEvalMode& operator=(const LeaveInEvalMode&) = delete;
  ~LeaveInEvalMode() { module_.eval(); }

 private:
  torch::jit::Module& module_;
};

LoaderOptions loader_options(const Dataset& data, const TrainOptions& options, const Share& share) {
  LoaderOptions loading;
  loading.batch_size = options.batch_size;
  loading.seed = options.seed;
  loading.augmentation = options.augmentation;
  loading.share = share;
  // A last batch may hold a single example, on which batch norm in train mode fails, and would
  // weigh its examples more than the others. Each epoch leaves out different ones.
  loading.drop_last = data.size() > options.batch_size;
  loading.joins_fixed = true;
  return loading;
}

}  // namespace

Training::Training(torch::jit::Module& module, std::optional<torch::jit::Module> teacher,
                   const Dataset& data, const std::vector<Schedule>& schedules,
                   const std::function<void(const std::vector<double>&)>& set_blends,
                   const TrainOptions& options, const TrainCallbacks& callbacks)
    : module_(module),
      data_(data),
      set_blends_(set_blends),
      options_(options),
      callbacks_(callbacks),
      parameters_(trainable_parameters(module)),
      ranks_(module, options, parameters_),
      loader_(data, loader_options(data, options, ranks_.share())),
      batches_(loader_.batches_per_epoch()),
      total_steps_(options.steps(data.size())),
      ramps_(schedules, static_cast<double>(batches_), progress_at(total_steps_)),
      optimizer_(options, parameters_),
      loss_(module_, std::move(teacher), options),
      tensors_(module),
      scale_(holds_half(tensors_)),
      best_(options.keep == Keep::best) {
  if (options.average > 0.0) {
    averaging_.emplace(module, options.average);
  }
  plan_checks();
}

std::vector<EpochRecord> Training::run() {
  const LeaveInEvalMode leave_in_eval_mode(module_);
  const torch::AutoGradMode with_gradients(true);
  module_.train();
  if (options_.keeps_statistics) {
    keep_statistics(module_);
  }
  begin_ = std::chrono::steady_clock::now();
  if (!callbacks_.resume.is_empty()) {
    take_up(callbacks_.resume);
  }
  ranks_.begin(tensors_, data_);
  while ((place_.step < total_steps_ && !place_.is_over) || place_.is_check_due) {
    try {
      run_epoch();
      save_at(SavePoint::epoch);
    } catch (const Explosion& explosion) {
      go_back(explosion.reason);
    }
  }
  return place_.epochs;
}

void Training::plan_checks() {
  if (!options_.asks_for_checks()) {
    return;
  }
  if (!callbacks_.check) {
    throw UsageError(
        "Expected a way to measure the model (TrainCallbacks::check) with keep, patience, bound "
        "or check_every, but there is none");
  }
  const double last = progress_at(total_steps_);
  const double every = options_.check_every > 0.0 ? options_.check_every : last / 20.0;
  check_steps_ = std::max<std::int64_t>(1, std::llround(every * static_cast<double>(batches_)));
  if (options_.bound) {
    loop_.emplace(ramps_.closed_loop(*options_.bound));
  }
}

double Training::progress_at(std::int64_t step) const {
  return static_cast<double>(step) / static_cast<double>(batches_);
}

// t of each schedule now.
std::vector<double> Training::blends_now() const {
  return place_.step < total_steps_ && !place_.is_over
             ? ramps_.at(loop_ ? loop_->position() : progress_at(place_.step))
             : ramps_.at_the_end();
}

double Training::mean_of(const std::vector<double>& blends) {
  return std::accumulate(blends.begin(), blends.end(), 0.0) / static_cast<double>(blends.size());
}

// t is an attribute that the graph reads at run time: a new value recompiles nothing.
double Training::move() const {
  const auto blends = blends_now();
  move_to(blends);
  return mean_of(blends);
}

void Training::move_to(const std::vector<double>& blends) const {
  if (set_blends_) {
    set_blends_(blends);
  }
}

double Training::seconds() const {
  return seconds_since(begin_);
}

void Training::run_epoch() {
  double last = seconds();
  try {
    if (place_.is_check_due) {
      end_step();
    }
    loader_.for_each(
        place_.epoch,
        [&](std::int64_t number, const Example& batch) {
          place_.waited += seconds() - last;
          const double weight = ranks_.weight(loader_.own_size(number), loader_.batch_size(number));
          const Progress progress = take_step(batch, weight);
          if (callbacks_.on_step) {
            callbacks_.on_step(progress);
          }
          place_.is_check_due = true;
          end_step();
          last = seconds();
        },
        place_.batch);
  } catch (const BudgetSpent&) {
    finish();
  }
  end_epoch();
}

void Training::end_step() {
  if (place_.step == total_steps_) {
    throw BudgetSpent{};
  }
  if (check_steps_ > 0 && place_.step % check_steps_ == 0) {
    check(place_.t);
  }
  place_.is_check_due = false;
  if (options_.patience > 0 && best_.without_improvement() >= options_.patience) {
    place_.is_over = true;
    throw BudgetSpent{};
  }
}

void Training::end_epoch() {
  EpochRecord record;
  record.epoch = place_.epoch + 1;
  record.step = place_.step;
  record.t = mean_of(blends_now());
  record.mean_loss = place_.sum_of_losses / static_cast<double>(place_.batch);
  record.learning_rate = place_.learning_rate;
  record.seconds = seconds();
  record.waited = place_.waited;
  record.checks = std::exchange(place_.checks, {});
  place_.epochs.push_back(record);
  ++place_.epoch;
  place_.batch = 0;
  place_.sum_of_losses = 0.0;
  place_.waited = 0.0;
  if (callbacks_.on_epoch) {
    callbacks_.on_epoch(record);
  }
}

bool Training::should_stop() const {
  return callbacks_.should_stop && callbacks_.should_stop();
}

Progress Training::take_step(const Example& batch, double weight) {
  if (ranks_.is_alone() ? should_stop() : ranks_.is_to_stop()) {
    save_at(SavePoint::stopped);
    throw Interrupted("Training was stopped after " + std::to_string(place_.step) + " of " +
                      std::to_string(total_steps_) + " steps");
  }
  save_at(SavePoint::step);
  Progress progress;
  progress.learning_rate = rate_now();
  if (loop_) {
    loop_->advance(progress_at(place_.step));
  }
  progress.t = move();
  if (!divergence_) {
    begin(progress.t);
  }
  keep_good_state();
  ranks_.begin_step(place_.step);
  auto loss = loss_(batch, data_.fixed_batch(), ranks_.together());
  if (!loss.requires_grad()) {
    throw UsageError(
        "The model's output does not depend on any trainable parameter; expected one that a "
        "gradient can be taken of");
  }
  if (weight != 1.0) {
    loss = loss * weight;
  }
  progress.loss = ranks_.mean_loss(loss.item<double>(), !ranks_.is_alone() && should_stop());
  if (!std::isfinite(progress.loss) && place_.step == 0) {
    throw UsageError("Expected a finite loss before the first step, but it is " +
                     std::to_string(progress.loss) +
                     "; look for values that are not finite in the data, the labels and the "
                     "model's outputs");
  }
  if (!std::isfinite(progress.loss)) {
    explode("the loss is " + std::to_string(progress.loss), progress.learning_rate);
  }
  const bool has_exploded = divergence_->note(place_.step + 1, progress.loss);
  if (has_exploded && retries_.count < options_.retries) {  // otherwise the end is judged
    explode("the loss of batches stays above 10 times that of the start, and is " +
                std::to_string(progress.loss),
            progress.learning_rate);
  }
  update(loss, progress.learning_rate);
  ranks_.average_statistics();
  if (averaging_ && progress.t == 1.0) {
    averaging_->update();
  }
  ++place_.step;
  ++place_.batch;
  place_.sum_of_losses += progress.loss;
  place_.learning_rate = progress.learning_rate;
  place_.t = progress.t;
  progress.step = place_.step;
  progress.total_steps = total_steps_;
  progress.epoch = progress_at(place_.step);
  progress.seconds = seconds();
  return progress;
}

// With the blends where the first step is taken.
void Training::begin(double t) {
  divergence_.emplace(loss_, data_, options_, parameters_);
  if (t < 1.0) {
    start_ = tensors_.copies();
    blends_at_start_ = blends_now();
  }
  torch::manual_seed(options_.seed);  // the measurement may have drawn some
}

// In half a gradient may overflow with one scale and be taken again with less.
void Training::update(const torch::Tensor& loss, double rate) {
  for (;;) {
    optimizer_.zero_grad();
    const auto scaled = scale_.is_used() ? loss * scale_.value() : loss;
    ranks_.backward(scaled, /*keeps_graph=*/scale_.is_used());
    if (optimizer_.step(rate, scale_)) {
      scale_.note_step();
      return;
    }
    if (!scale_.shrink()) {
      explode("a gradient is not finite", rate);
    }
  }
}

// The model as it would be left with this t.
void Training::check(double t) {
  const bool is_averaged = t == 1.0 && averaging_ && averaging_->started();
  std::vector<torch::Tensor> weights;
  if (is_averaged) {
    weights = tensors_.copies();
    tensors_.write(averaging_->values());
  }
  Check found;
  try {
    found = ranks_.of_first(callbacks_.check());
  } catch (const Interrupted&) {
    if (is_averaged) {
      tensors_.write(weights);
    }
    save_at(SavePoint::stopped);
    throw;
  }
  CheckRecord record;
  record.step = place_.step;
  record.t = t;
  record.value = found.value;
  record.drop = found.drop;
  record.best = t == 1.0 && best_.offer(found.drop, tensors_);
  if (is_averaged) {
    tensors_.write(weights);
  }
  if (loop_ && !place_.is_over && place_.step < total_steps_) {
    record.ramp = to_string(loop_->check(found.drop));
  }
  place_.checks.push_back(record);
  if (callbacks_.on_check) {
    callbacks_.on_check(record);
  }
}

void Training::finish() {
  move();
  // No loss follows that would show what the last step did.
  expect_finite_parameters(place_.learning_rate);
  if (check_steps_ > 0 && !place_.is_over) {
    check(1.0);
  }
  place_.is_check_due = false;
  if (!best_.values().empty()) {
    tensors_.write(best_.values());
  } else if (averaging_ && averaging_->started()) {
    tensors_.write(averaging_->values());
  }
  const auto verdict = divergence_->verdict(
      [this](const std::function<double()>& measure) { return loss_of_swap(measure); });
  if (ranks_.of_first(verdict.has_value())) {
    explode(verdict.value_or("rank 0 found that it diverged"),
            options_.learning_rate * retries_.factor);
  }
}

// The swap as it was before the training; the model is then what it is now again.
double Training::loss_of_swap(const std::function<double()>& measure) {
  if (start_.empty()) {
    return 0.0;  // it was the start
  }
  const auto trained = tensors_.copies();
  move_to(blends_at_start_);  // what moves with the blends goes back as well
  tensors_.write(start_);
  move_to(ramps_.at_the_end());
  const double loss = measure();
  tensors_.write(trained);
  return loss;
}

std::vector<EpochRecord> train(torch::jit::Module& module,
                               std::optional<torch::jit::Module> teacher, const Dataset& data,
                               const Schedule& schedule,
                               const std::function<void(double)>& set_blend,
                               const TrainOptions& options, const TrainCallbacks& callbacks) {
  std::function<void(const std::vector<double>&)> set_blends;
  if (set_blend) {
    set_blends = [&](const std::vector<double>& blends) { set_blend(blends.front()); };
  }
  return train(module, std::move(teacher), data, std::vector<Schedule>{schedule}, set_blends,
               options, callbacks);
}

std::vector<EpochRecord> train(torch::jit::Module& module,
                               std::optional<torch::jit::Module> teacher, const Dataset& data,
                               const std::vector<Schedule>& schedules,
                               const std::function<void(const std::vector<double>&)>& set_blends,
                               const TrainOptions& options, const TrainCallbacks& callbacks) {
  options.validate();
  try {
    return Training(module, std::move(teacher), data, schedules, set_blends, options, callbacks)
        .run();
  } catch (const std::exception& error) {
    if (is_out_of_memory(error)) {
      throw FileError("Training ran out of memory" + allocation_in(error) +
                      "; a smaller batch size (--batch) needs less, and sgd less than adamw");
    }
    throw;
  }
}

}  // namespace actswap
