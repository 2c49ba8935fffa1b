#include <actswap/base/error.h>
#include <actswap/base/libtorch_error.h>
#include <actswap/base/out_of_memory.h>
#include <actswap/data/loader.h>
#include <actswap/graph/model.h>
#include <actswap/schedule/closed_loop.h>
#include <actswap/train/averaging.h>
#include <actswap/train/batch_loss.h>
#include <actswap/train/best.h>
#include <actswap/train/divergence.h>
#include <actswap/train/optimizer.h>
#include <actswap/train/ramps.h>
#include <actswap/train/trainable.h>
#include <actswap/train/trainer.h>

#include <torch/torch.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <numeric>
#include <sstream>
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

LoaderOptions loader_options(const Dataset& data, const TrainOptions& options) {
  LoaderOptions loading;
  loading.batch_size = options.batch_size;
  loading.seed = options.seed;
  loading.augmentation = options.augmentation;
  // A last batch may hold a single example, on which batch norm in train mode fails, and would
  // weigh its examples more than the others. Each epoch leaves out different ones.
  loading.drop_last = data.size() > options.batch_size;
  return loading;
}

class Training {
 public:
  Training(torch::jit::Module& module, std::optional<torch::jit::Module> teacher,
           const Dataset& data, const std::vector<Schedule>& schedules,
           const std::function<void(const std::vector<double>&)>& set_blends,
           const TrainOptions& options, const TrainCallbacks& callbacks)
      : module_(module),
        data_(data),
        set_blends_(set_blends),
        options_(options),
        callbacks_(callbacks),
        loader_(data, loader_options(data, options)),
        batches_(loader_.batches_per_epoch()),
        total_steps_(options.steps(data.size())),
        ramps_(schedules, static_cast<double>(batches_), progress_at(total_steps_)),
        parameters_(trainable_parameters(module)),
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

  std::vector<EpochRecord> run() {
    const LeaveInEvalMode leave_in_eval_mode(module_);
    const torch::AutoGradMode with_gradients(true);
    module_.train();
    if (options_.keeps_statistics) {
      keep_statistics(module_);
    }
    begin_ = std::chrono::steady_clock::now();
    std::vector<EpochRecord> records;
    for (std::int64_t epoch = 0; step_ < total_steps_ && !is_over_; ++epoch) {
      records.push_back(run_epoch(epoch));
    }
    return records;
  }

 private:
  void plan_checks() {
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

  double progress_at(std::int64_t step) const {
    return static_cast<double>(step) / static_cast<double>(batches_);
  }

  /// t of each schedule now.
  std::vector<double> blends_now() const {
    return step_ < total_steps_ && !is_over_
               ? ramps_.at(loop_ ? loop_->position() : progress_at(step_))
               : ramps_.at_the_end();
  }

  static double mean_of(const std::vector<double>& blends) {
    return std::accumulate(blends.begin(), blends.end(), 0.0) / static_cast<double>(blends.size());
  }

  // t is an attribute that the graph reads at run time: a new value recompiles nothing.
  double move() const {
    const auto blends = blends_now();
    move_to(blends);
    return mean_of(blends);
  }

  void move_to(const std::vector<double>& blends) const {
    if (set_blends_) {
      set_blends_(blends);
    }
  }

  double seconds() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin_).count();
  }

  EpochRecord run_epoch(std::int64_t epoch) {
    double sum = 0.0;
    std::int64_t count = 0;
    double rate = 0.0;
    double waited = 0.0;
    checks_.clear();
    double last = seconds();
    try {
      loader_.for_each(epoch, [&](std::int64_t, const Example& batch) {
        waited += seconds() - last;
        const Progress progress = take_step(batch);
        sum += progress.loss;
        ++count;
        rate = progress.learning_rate;
        if (callbacks_.on_step) {
          callbacks_.on_step(progress);
        }
        if (step_ == total_steps_) {
          throw BudgetSpent{};
        }
        if (check_steps_ > 0 && step_ % check_steps_ == 0) {
          check(progress.t);
        }
        if (options_.patience > 0 && best_.without_improvement() >= options_.patience) {
          is_over_ = true;
          throw BudgetSpent{};
        }
        last = seconds();
      });
    } catch (const BudgetSpent&) {
      finish();
    }
    EpochRecord record;
    record.epoch = epoch + 1;
    record.step = step_;
    record.t = mean_of(blends_now());
    record.mean_loss = sum / static_cast<double>(count);
    record.learning_rate = rate;
    record.seconds = seconds();
    record.waited = waited;
    record.checks = checks_;
    if (callbacks_.on_epoch) {
      callbacks_.on_epoch(record);
    }
    return record;
  }

  Progress take_step(const Example& batch) {
    if (callbacks_.should_stop && callbacks_.should_stop()) {
      throw Interrupted("Training was stopped after " + std::to_string(step_) + " of " +
                        std::to_string(total_steps_) + " steps");
    }
    Progress progress;
    progress.learning_rate = learning_rate_at(step_, total_steps_, options_);
    if (loop_) {
      loop_->advance(progress_at(step_));
    }
    progress.t = move();
    if (!divergence_) {
      begin(progress.t);
    }
    const auto loss = loss_(batch);
    if (!loss.requires_grad()) {
      throw UsageError(
          "The model's output does not depend on any trainable parameter; expected one that a "
          "gradient can be taken of");
    }
    progress.loss = loss.item<double>();
    if (!std::isfinite(progress.loss) && step_ == 0) {
      throw UsageError("Expected a finite loss before the first step, but it is " +
                       std::to_string(progress.loss) +
                       "; look for values that are not finite in the data, the labels and the "
                       "model's outputs");
    }
    if (!std::isfinite(progress.loss)) {
      fail_at("the loss is " + std::to_string(progress.loss), progress.learning_rate);
    }
    divergence_->note(step_ + 1, progress.loss);
    update(loss, progress.learning_rate);
    if (averaging_ && progress.t == 1.0) {
      averaging_->update();
    }
    ++step_;
    progress.step = step_;
    progress.total_steps = total_steps_;
    progress.epoch = progress_at(step_);
    progress.seconds = seconds();
    return progress;
  }

  // With the blends where the first step is taken.
  void begin(double t) {
    divergence_.emplace(loss_, data_, options_, parameters_);
    if (t < 1.0) {
      start_ = tensors_.copies();
      blends_at_start_ = blends_now();
    }
    torch::manual_seed(options_.seed);  // the measurement may have drawn some
  }

  // In half a gradient may overflow with one scale and be taken again with less.
  void update(const torch::Tensor& loss, double rate) {
    for (;;) {
      optimizer_.zero_grad();
      try {
        (scale_.is_used() ? loss * scale_.value() : loss)
            .backward({}, /*retain_graph=*/scale_.is_used());
      } catch (const c10::Error& error) {
        throw UsageError(std::string("The model does not have a gradient: ") +
                         libtorch_cause(error.what_without_backtrace()));
      }
      if (optimizer_.step(rate, scale_)) {
        scale_.note_step();
        return;
      }
      if (!scale_.shrink()) {
        fail_at("a gradient is not finite", rate);
      }
    }
  }

  // The model as it would be left with this t.
  void check(double t) {
    const bool is_averaged = t == 1.0 && averaging_ && averaging_->started();
    std::vector<torch::Tensor> weights;
    if (is_averaged) {
      weights = tensors_.copies();
      tensors_.write(averaging_->values());
    }
    const auto found = callbacks_.check();
    CheckRecord record;
    record.step = step_;
    record.t = t;
    record.value = found.value;
    record.drop = found.drop;
    record.best = t == 1.0 && best_.offer(found.drop, tensors_);
    if (is_averaged) {
      tensors_.write(weights);
    }
    if (loop_ && !is_over_ && step_ < total_steps_) {
      record.ramp = to_string(loop_->check(found.drop));
    }
    checks_.push_back(std::move(record));
  }

  void finish() {
    move();
    // No loss follows that would show what the last step did.
    const double last_rate = learning_rate_at(step_ - 1, total_steps_, options_);
    for (const auto& parameter : parameters_) {
      if (!torch::isfinite(parameter.detach()).all().item<bool>()) {
        fail_at("parameters are no longer finite", last_rate);
      }
    }
    if (check_steps_ > 0 && !is_over_) {
      check(1.0);
    }
    if (!best_.values().empty()) {
      tensors_.write(best_.values());
    } else if (averaging_ && averaging_->started()) {
      tensors_.write(averaging_->values());
    }
    const auto verdict = divergence_->verdict(
        [this](const std::function<double()>& measure) { return loss_of_swap(measure); });
    if (verdict) {
      fail_at(*verdict, options_.learning_rate);
    }
  }

  // The swap as it was before the training; the model is then what it is now again.
  double loss_of_swap(const std::function<double()>& measure) {
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

  [[noreturn]] void fail_at(const std::string& what, double rate) const {
    std::ostringstream text;
    text << "Training diverged at step " << std::min(step_ + 1, total_steps_) << " of "
         << total_steps_ << ": " << what << ", at the learning rate " << rate
         << "; a lower learning rate, clip_norm or a longer ramp may help";
    throw Diverged(text.str());
  }

  torch::jit::Module& module_;
  const Dataset& data_;
  const std::function<void(const std::vector<double>&)>& set_blends_;
  const TrainOptions& options_;
  const TrainCallbacks& callbacks_;
  Loader loader_;
  std::int64_t batches_;
  std::int64_t total_steps_;
  Ramps ramps_;
  std::vector<torch::Tensor> parameters_;
  Optimizer optimizer_;
  BatchLoss loss_;
  ModuleTensors tensors_;
  LossScale scale_;
  std::optional<DivergenceCheck> divergence_;
  std::vector<torch::Tensor> start_;  // of a ramp: all tensors before the first step
  std::vector<double> blends_at_start_;
  std::optional<Averaging> averaging_;
  std::optional<ClosedLoop> loop_;
  Best best_;
  std::int64_t check_steps_ = 0;  // from one check to the next; 0: none
  std::int64_t step_ = 0;
  bool is_over_ = false;             // early
  std::vector<CheckRecord> checks_;  // of this epoch
  std::chrono::steady_clock::time_point begin_;
};

}  // namespace

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
