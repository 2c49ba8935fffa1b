#include <actswap/base/clock.h>
#include <actswap/base/error.h>
#include <actswap/data/subset.h>
#include <actswap/train/batch_loss.h>
#include <actswap/train/module_tensors.h>
#include <actswap/train/rate_sweep.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>
#include <map>
#include <utility>

namespace actswap {

namespace {

constexpr double kSweepFactor = 3.0;
constexpr int kReach = 2;  // factors to each side of the usual rate
constexpr int kMost = 4;   // and with those beyond it
constexpr std::int64_t kFewestSweptExamples = 8;

double usual_rate(OptimizerKind kind) {
  return kind == OptimizerKind::adamw ? 3e-4 : 1e-2;
}

class Sweep {
 public:
  Sweep(torch::jit::Module& module, std::optional<torch::jit::Module> teacher, const Dataset& data,
        const std::vector<Schedule>& schedules,
        const std::function<void(const std::vector<double>&)>& set_blends,
        const TrainOptions& options, const std::function<bool()>& should_stop,
        const RememberTrial& remember)
      : module_(module),
        teacher_(std::move(teacher)),
        set_blends_(set_blends),
        options_(options),
        remember_(remember),
        tensors_(module) {
    if (data.size() < kFewestSweptExamples) {
      throw UsageError("Expected " + std::to_string(kFewestSweptExamples) +
                       " examples or more for --lr auto, but got " + std::to_string(data.size()));
    }
    callbacks_.should_stop = should_stop;
    result_.held_out = std::min<std::int64_t>(1024, data.size() / 8);
    held_out_.emplace(data, result_.held_out, options.seed);

    const auto batches = static_cast<double>(options.batches_per_epoch(data.size()));
    const auto whole = options.steps(data.size());
    result_.steps = std::min(whole, std::clamp<std::int64_t>(whole / 20, 10, 200));
    epochs_ = static_cast<double>(result_.steps) /
              static_cast<double>(options.batches_per_epoch(held_out_->learnt.size()));
    const double scale = epochs_ / options.epochs;
    for (const auto& schedule : schedules) {
      const auto ramp = schedule.in_epochs(batches).options();
      ramps_.emplace_back(schedule.curve(),
                          ScheduleOptions{.begin = ramp.begin * scale, .end = ramp.end * scale});
      start_.push_back(schedule.at(0.0));
    }
  }

  RateSweep run() {
    const auto begin = std::chrono::steady_clock::now();
    move_to(start_);
    weights_ = tensors_.copies();
    move_to(std::vector<double>(ramps_.size(), 1.0));
    result_.start_loss = held_out_loss();
    restore();
    int least = -kReach;
    int most = kReach;
    for (int i = least; i <= most; ++i) {
      losses_[i] = loss_at(i);
    }
    for (int best = best_place(); best == least || best == most; best = best_place()) {
      const int next = best == least ? --least : ++most;
      if (std::abs(next) > kMost) {
        break;
      }
      losses_[next] = loss_at(next);
    }
    for (const auto& [place, loss] : losses_) {
      result_.trials.push_back({rate_at(place), loss});
    }
    result_.chosen = rate_at(best_place());
    if (!std::isfinite(losses_.at(best_place()))) {
      throw Diverged("Training diverges at every learning rate that was tried, from " +
                     std::to_string(result_.trials.front().rate) + " on");
    }
    result_.seconds = seconds_since(begin);
    return result_;
  }

 private:
  void move_to(const std::vector<double>& blends) const {
    if (set_blends_) {
      set_blends_(blends);
    }
  }

  void restore() const {
    move_to(start_);
    tensors_.write(weights_);
  }

  double rate_at(int place) const {
    return usual_rate(options_.optimizer) * std::pow(kSweepFactor, place);
  }

  int best_place() const {
    const auto best = std::min_element(losses_.begin(), losses_.end(),
                                       [](auto& a, auto& b) { return a.second < b.second; });
    return best->first;
  }

  double held_out_loss() const {
    const double loss = BatchLoss(module_, teacher_, options_).mean(held_out_->judged);
    return std::isfinite(loss) ? loss : std::numeric_limits<double>::infinity();
  }

  double loss_at(int place) const {
    const auto compute = [&] { return try_rate(place); };
    return remember_ ? remember_(std::to_string(place), compute) : compute();
  }

  double try_rate(int place) const {
    auto options = options_;
    options.epochs = epochs_;
    options.learning_rate = rate_at(place);
    options.average = 0.0;
    options.check_every = 0.0;
    options.keep = Keep::last;
    options.patience = 0;
    options.retries = 0;
    options.bound = {};
    double loss = std::numeric_limits<double>::infinity();
    try {
      train(module_, teacher_, held_out_->learnt, ramps_, set_blends_, options, callbacks_);
      loss = held_out_loss();
    } catch (const Diverged&) {
    }
    restore();
    return loss;
  }

  torch::jit::Module& module_;
  std::optional<torch::jit::Module> teacher_;
  const std::function<void(const std::vector<double>&)>& set_blends_;
  const TrainOptions& options_;
  const RememberTrial& remember_;
  ModuleTensors tensors_;
  TrainCallbacks callbacks_;
  RateSweep result_;
  double epochs_ = 0.0;  // of each trial
  std::optional<HeldOut> held_out_;
  std::vector<Schedule> ramps_;
  std::vector<double> start_;
  std::vector<torch::Tensor> weights_;
  std::map<int, double> losses_;  // by place: the rate is usual_rate * factor^place
};

}  // namespace

RateSweep sweep_rates(torch::jit::Module& module, std::optional<torch::jit::Module> teacher,
                      const Dataset& data, const std::vector<Schedule>& schedules,
                      const std::function<void(const std::vector<double>&)>& set_blends,
                      const TrainOptions& options, const std::function<bool()>& should_stop,
                      const RememberTrial& remember) {
  options.validate();
  return Sweep(module, std::move(teacher), data, schedules, set_blends, options, should_stop,
               remember)
      .run();
}

}  // namespace actswap
