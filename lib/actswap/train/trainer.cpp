#include <actswap/base/error.h>
#include <actswap/base/libtorch_error.h>
#include <actswap/data/loader.h>
#include <actswap/graph/model.h>
#include <actswap/schedule/closed_loop.h>
#include <actswap/train/averaging.h>
#include <actswap/train/batch_loss.h>
#include <actswap/train/best.h>
#include <actswap/train/optimizer.h>
#include <actswap/train/ramps.h>
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

// Batch norms as they are in eval mode: those that have running statistics.
void keep_statistics(const torch::jit::Module& root) {
  for (auto module : root.modules()) {
    if (module.hasattr("running_mean") && module.hasattr("training")) {
      module.setattr("training", false);
    }
  }
}

std::vector<torch::Tensor> trainable_parameters(const torch::jit::Module& module) {
  auto parameters = distinct_parameters(module);
  std::erase_if(parameters, [](const torch::Tensor& tensor) { return !tensor.requires_grad(); });
  if (parameters.empty()) {
    throw UsageError(
        "The model has no trainable parameters (it may have been frozen); expected a model saved "
        "before freezing, or thawed, with parameters that require a gradient");
  }
  return parameters;
}

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

std::vector<Schedule> in_epochs(const std::vector<Schedule>& schedules, double batches) {
  if (schedules.empty()) {
    throw UsageError("Expected one schedule or more, but got none");
  }
  std::vector<Schedule> converted;
  converted.reserve(schedules.size());
  for (const auto& schedule : schedules) {
    converted.push_back(schedule.in_epochs(batches));
  }
  return converted;
}

class Training {
 public:
  Training(torch::jit::Module& module, std::optional<torch::jit::Module> teacher,
           const Dataset& data, const std::vector<Schedule>& schedules,
           const std::function<void(const std::vector<double>&)>& set_blends,
           const TrainOptions& options, const TrainCallbacks& callbacks)
      : module_(module),
        set_blends_(set_blends),
        options_(options),
        callbacks_(callbacks),
        loader_(data, loader_options(data, options)),
        batches_(loader_.batches_per_epoch()),
        schedules_(in_epochs(schedules, static_cast<double>(batches_))),
        parameters_(trainable_parameters(module)),
        optimizer_(options, parameters_),
        loss_(module_, std::move(teacher), options),
        tensors_(module),
        best_(options.keep == Keep::best),
        total_steps_(options.steps(data.size())),
        ramps_(ramps_within(schedules_, progress_at(total_steps_), options.bound)) {
    if (options.average > 0.0) {
      averaging_.emplace(module, options.average);
    }
    plan_checks();
  }

  std::vector<EpochRecord> run() {
    const LeaveInEvalMode leave_in_eval_mode(module_);
    const torch::AutoGradMode with_gradients(true);
    torch::manual_seed(options_.seed);
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
      loop_.emplace(ClosedLoopOptions{.begin = ramps_.begin,
                                      .end = ramps_.end,
                                      .deadline = ramps_.deadline,
                                      .bound = *options_.bound});
    }
  }

  double progress_at(std::int64_t step) const {
    return static_cast<double>(step) / static_cast<double>(batches_);
  }

  /// t of each schedule now.
  std::vector<double> blends_now() const {
    std::vector<double> blends(schedules_.size(), 1.0);
    if (step_ < total_steps_ && !is_over_) {
      const double position = loop_ ? loop_->position() : progress_at(step_);
      for (std::size_t i = 0; i < blends.size(); ++i) {
        blends[i] = schedules_[i].at(position);
      }
    }
    return blends;
  }

  static double mean_of(const std::vector<double>& blends) {
    return std::accumulate(blends.begin(), blends.end(), 0.0) / static_cast<double>(blends.size());
  }

  // t is an attribute that the graph reads at run time: a new value recompiles nothing.
  double move() const {
    const auto blends = blends_now();
    if (set_blends_) {
      set_blends_(blends);
    }
    return mean_of(blends);
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
    const auto loss = loss_(batch);
    if (!loss.requires_grad()) {
      throw UsageError(
          "The model's output does not depend on any trainable parameter; expected one that a "
          "gradient can be taken of");
    }
    progress.loss = loss.item<double>();
    if (!std::isfinite(progress.loss)) {
      fail_at("the loss is " + std::to_string(progress.loss), progress.learning_rate);
    }
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

  void update(const torch::Tensor& loss, double rate) {
    optimizer_.zero_grad();
    try {
      loss.backward();
    } catch (const c10::Error& error) {
      throw UsageError(std::string("The model does not have a gradient: ") +
                       libtorch_cause(error.what_without_backtrace()));
    }
    if (options_.clip_norm > 0.0) {
      torch::nn::utils::clip_grad_norm_(parameters_, options_.clip_norm);
    }
    optimizer_.step(rate);
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
    for (const auto& parameter : parameters_) {
      if (!torch::isfinite(parameter.detach()).all().item<bool>()) {
        fail_at("parameters are no longer finite",
                learning_rate_at(step_ - 1, total_steps_, options_));
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
  }

  [[noreturn]] void fail_at(const std::string& what, double rate) const {
    std::ostringstream text;
    text << "Training diverged at step " << std::min(step_ + 1, total_steps_) << " of "
         << total_steps_ << ": " << what << ", at the learning rate " << rate
         << "; a lower learning rate, clip_norm or a longer ramp may help";
    throw Diverged(text.str());
  }

  torch::jit::Module& module_;
  const std::function<void(const std::vector<double>&)>& set_blends_;
  const TrainOptions& options_;
  const TrainCallbacks& callbacks_;
  Loader loader_;
  std::int64_t batches_;
  std::vector<Schedule> schedules_;
  std::vector<torch::Tensor> parameters_;
  Optimizer optimizer_;
  BatchLoss loss_;
  ModuleTensors tensors_;
  std::optional<Averaging> averaging_;
  std::optional<ClosedLoop> loop_;
  Best best_;
  std::int64_t total_steps_;
  Ramps ramps_;
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
  return Training(module, std::move(teacher), data, schedules, set_blends, options, callbacks)
      .run();
}

}  // namespace actswap
