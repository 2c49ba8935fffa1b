#include <actswap/base/error.h>
#include <actswap/base/libtorch_error.h>
#include <actswap/data/loader.h>
#include <actswap/graph/model.h>
#include <actswap/graph/observe.h>
#include <actswap/train/averaging.h>
#include <actswap/train/optimizer.h>
#include <actswap/train/signals.h>
#include <actswap/train/trainer.h>

#include <torch/torch.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <sstream>
#include <utility>

namespace actswap {

namespace {

// Progress is a quotient of whole numbers, what users write a decimal fraction: equal up to this.
constexpr double kRounding = 1e-9;

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
  // A last batch may hold a single example, on which batch norm in train mode fails, and would
  // weigh its examples more than the others. Each epoch leaves out different ones.
  loading.drop_last = data.size() > options.batch_size;
  return loading;
}

class Training {
 public:
  Training(torch::jit::Module& module, std::optional<torch::jit::Module> teacher,
           const Dataset& data, const Schedule& schedule,
           const std::function<void(double)>& set_blend, const TrainOptions& options,
           const TrainCallbacks& callbacks)
      : module_(module),
        teacher_(std::move(teacher)),
        set_blend_(set_blend),
        options_(options),
        callbacks_(callbacks),
        loader_(data, loader_options(data, options)),
        batches_(loader_.batches_per_epoch()),
        schedule_(schedule.in_epochs(static_cast<double>(batches_))),
        parameters_(trainable_parameters(module)),
        optimizer_(make_optimizer(options, parameters_)),
        loss_(options.loss, {options.temperature, options.class_dim}) {
    if (options.average > 0.0) {
      averaging_.emplace(module, options.average);
    }
    const double steps = options.epochs * static_cast<double>(batches_);
    total_steps_ =
        std::max<std::int64_t>(1, static_cast<std::int64_t>(std::ceil(steps * (1.0 - 1e-12))));
    check_teacher();
    check_schedule();
  }

  std::vector<EpochRecord> run() {
    const LeaveInEvalMode leave_in_eval_mode(module_);
    const torch::AutoGradMode with_gradients(true);
    torch::manual_seed(options_.seed);
    if (teacher_) {
      teacher_->eval();
    }
    module_.train();
    begin_ = std::chrono::steady_clock::now();
    std::vector<EpochRecord> records;
    for (std::int64_t epoch = 0; step_ < total_steps_; ++epoch) {
      records.push_back(run_epoch(epoch));
    }
    return records;
  }

 private:
  void check_teacher() {
    if (!options_.loss.needs_original()) {
      teacher_.reset();  // not run, not touched
      return;
    }
    if (!teacher_) {
      throw UsageError("Expected the original model for the loss " + to_string(options_.loss) +
                       ", but none was given");
    }
    for (const auto& theirs : teacher_->parameters()) {
      for (const auto& ours : parameters_) {
        if (theirs.is_same(ours)) {
          throw UsageError(
              "Expected an original model with its own parameters, but it shares some with the "
              "model "
              "to train; give a copy (actswap::reload)");
        }
      }
    }
  }

  void check_schedule() const {
    const double last = progress_at(total_steps_);
    if (schedule_.length() > last + kRounding) {
      const auto& ramp = schedule_.options();
      std::ostringstream text;
      text << "Expected a schedule that ends within the training of " << last
           << " epochs, but it reaches t = 1 at epoch " << ramp.end;
      if (ramp.hold > 0.0) {
        text << " and holds it until " << schedule_.length();
      }
      text << "; train for longer or end the ramp earlier";
      throw UsageError(text.str());
    }
  }

  double progress_at(std::int64_t step) const {
    return static_cast<double>(step) / static_cast<double>(batches_);
  }

  double t_at(std::int64_t step) const {
    const double progress = progress_at(step);
    return schedule_.at(step < total_steps_ ? progress
                                            : std::max(progress, schedule_.options().end));
  }

  // t is an attribute that the graph reads at run time: a new value recompiles nothing.
  void move_to(double t) const {
    if (set_blend_) {
      set_blend_(t);
    }
  }

  double seconds() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin_).count();
  }

  EpochRecord run_epoch(std::int64_t epoch) {
    double sum = 0.0;
    std::int64_t count = 0;
    double rate = 0.0;
    try {
      loader_.for_each(epoch, [&](std::int64_t, const Example& batch) {
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
      });
    } catch (const BudgetSpent&) {
      finish();
    }
    EpochRecord record;
    record.epoch = epoch + 1;
    record.step = step_;
    record.t = t_at(step_);
    record.mean_loss = sum / static_cast<double>(count);
    record.learning_rate = rate;
    record.seconds = seconds();
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
    progress.t = t_at(step_);
    progress.learning_rate = learning_rate_at(step_, total_steps_, options_);
    move_to(progress.t);
    const auto loss = loss_of(batch);
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

  torch::Tensor loss_of(const Example& batch) {
    LossInputs values;
    values.targets = batch.targets;
    const auto run = [&](torch::jit::Module& module, const std::vector<torch::Tensor>& inputs,
                         std::vector<torch::Tensor>& sites) {
      std::optional<BlendRecorder> recorder;
      if (options_.loss.has(Signal::sites)) {
        recorder.emplace(sites);
      }
      return run_model(module, inputs);
    };
    if (teacher_) {
      const torch::NoGradGuard without_gradients;
      values.original_outputs = run(*teacher_, copy_tensors(batch.inputs), values.original_sites);
    }
    values.outputs = run(module_, batch.inputs, values.sites);
    const auto loss = loss_(values);
    if (!loss.requires_grad()) {
      throw UsageError(
          "The model's output does not depend on any trainable parameter; expected one that a "
          "gradient can be taken of");
    }
    return loss;
  }

  void update(const torch::Tensor& loss, double rate) {
    optimizer_->zero_grad();
    try {
      loss.backward();
    } catch (const c10::Error& error) {
      throw UsageError(std::string("The model does not have a gradient: ") +
                       libtorch_cause(error.what_without_backtrace()));
    }
    if (options_.clip_norm > 0.0) {
      torch::nn::utils::clip_grad_norm_(parameters_, options_.clip_norm);
    }
    set_learning_rate(*optimizer_, rate);
    optimizer_->step();
  }

  void finish() {
    move_to(t_at(step_));
    // No loss follows that would show what the last step did.
    for (const auto& parameter : parameters_) {
      if (!torch::isfinite(parameter.detach()).all().item<bool>()) {
        fail_at("parameters are no longer finite",
                learning_rate_at(step_ - 1, total_steps_, options_));
      }
    }
    if (averaging_ && averaging_->started()) {
      ModuleTensors(module_).write(averaging_->values());
    }
  }

  [[noreturn]] void fail_at(const std::string& what, double rate) const {
    std::ostringstream text;
    text << "Training diverged at step " << std::min(step_ + 1, total_steps_) << " of "
         << total_steps_ << ": " << what << ", at the learning rate " << rate
         << "; a lower learning rate, clip_norm or a longer ramp may help";
    throw UsageError(text.str());
  }

  torch::jit::Module& module_;
  std::optional<torch::jit::Module> teacher_;
  const std::function<void(double)>& set_blend_;
  const TrainOptions& options_;
  const TrainCallbacks& callbacks_;
  Loader loader_;
  std::int64_t batches_;
  Schedule schedule_;
  std::vector<torch::Tensor> parameters_;
  std::unique_ptr<torch::optim::Optimizer> optimizer_;
  LossFunction loss_;
  std::optional<Averaging> averaging_;
  std::int64_t total_steps_ = 0;
  std::int64_t step_ = 0;
  std::chrono::steady_clock::time_point begin_;
};

}  // namespace

std::vector<EpochRecord> train(torch::jit::Module& module,
                               std::optional<torch::jit::Module> teacher, const Dataset& data,
                               const Schedule& schedule,
                               const std::function<void(double)>& set_blend,
                               const TrainOptions& options, const TrainCallbacks& callbacks) {
  options.validate();
  return Training(module, std::move(teacher), data, schedule, set_blend, options, callbacks).run();
}

}  // namespace actswap
