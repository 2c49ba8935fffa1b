#include <actswap/base/clock.h>
#include <actswap/train/batch_loss.h>
#include <actswap/train/module_tensors.h>
#include <actswap/train/rate_search.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>
#include <map>
#include <utility>

namespace actswap {

namespace {

constexpr double kFirst = 1e-3;
constexpr double kFactor = 3.0;
constexpr int kLowest = -5;  // factors
constexpr int kHighest = 3;
// Of the lowest loss seen. A few steps cannot show what many gain, since noise has no time to
// settle; they show how far a step may go. The joint fit finds its rate by such a rule too.
constexpr double kHarmless = 1.25;
constexpr std::int64_t kFewestSteps = 8;
constexpr std::int64_t kMostSteps = 24;
constexpr std::int64_t kHeldOutShare = 8;
// AdamW's first steps all go one way, as far as the rate is.
constexpr double kWarmUp = 0.5;

double rate_at(int place) {
  return kFirst * std::pow(kFactor, place);
}

class Search {
 public:
  Search(torch::jit::Module& module, std::optional<torch::jit::Module> teacher, const HeldOut& data,
         const std::function<void(double)>& set_blend, const TrainOptions& options,
         const std::function<bool()>& should_stop, const RememberTrial& remember)
      : module_(module),
        teacher_(std::move(teacher)),
        data_(data),
        set_blend_(set_blend),
        remember_(remember),
        options_(options),
        tensors_(module),
        weights_(tensors_.copies()) {
    callbacks_.should_stop = should_stop;
    const auto whole = options.steps(data.learnt.size());
    result_.steps = std::min(whole, std::clamp(whole / kHeldOutShare, kFewestSteps, kMostSteps));
    result_.held_out = data.judged.size();
    options_.epochs = static_cast<double>(result_.steps) /
                      static_cast<double>(options.batches_per_epoch(data.learnt.size()));
    options_.is_rate_relative = true;
    options_.average = 0.0;
    options_.warmup = kWarmUp;
    options_.check_every = 0.0;
    options_.keep = Keep::last;
    options_.patience = 0;
    options_.retries = 0;
    options_.bound = {};
  }

  RateSweep run() {
    const auto begin = std::chrono::steady_clock::now();
    lowest_ = result_.start_loss = held_out_loss();
    int place = 0;
    if (is_harmless(place)) {
      while (place < kHighest && is_harmless(place + 1)) {
        ++place;
      }
    } else {
      while (place > kLowest && !is_harmless(place)) {
        --place;
      }
    }
    for (const auto& [tried, loss] : losses_) {
      result_.trials.push_back({rate_at(tried), loss});
    }
    result_.chosen = rate_at(place);
    result_.seconds = seconds_since(begin);
    return result_;
  }

 private:
  double held_out_loss() const {
    const double loss = BatchLoss(module_, teacher_, options_).mean(data_.judged);
    return std::isfinite(loss) ? loss : std::numeric_limits<double>::infinity();
  }

  bool is_harmless(int place) {
    const double loss = loss_at(place);
    lowest_ = std::min(lowest_, loss);
    return loss <= kHarmless * lowest_;
  }

  double loss_at(int place) {
    if (const auto found = losses_.find(place); found != losses_.end()) {
      return found->second;
    }
    const auto compute = [&] { return try_rate(place); };
    const double loss = remember_ ? remember_(std::to_string(place), compute) : compute();
    losses_[place] = loss;
    return loss;
  }

  double try_rate(int place) {
    options_.learning_rate = rate_at(place);
    double loss = std::numeric_limits<double>::infinity();
    try {
      train(module_, teacher_, data_.learnt, Schedule::step({}), set_blend_, options_, callbacks_);
      loss = held_out_loss();
    } catch (const Diverged&) {
    }
    tensors_.write(weights_);
    return loss;
  }

  torch::jit::Module& module_;
  std::optional<torch::jit::Module> teacher_;
  const HeldOut& data_;
  const std::function<void(double)>& set_blend_;
  const RememberTrial& remember_;
  TrainOptions options_;
  ModuleTensors tensors_;
  std::vector<torch::Tensor> weights_;
  TrainCallbacks callbacks_;
  RateSweep result_;
  double lowest_ = 0.0;
  std::map<int, double> losses_;  // by place: the rate is kFirst * kFactor^place
};

}  // namespace

RateSweep search_rate(torch::jit::Module& module, std::optional<torch::jit::Module> teacher,
                      const HeldOut& data, const std::function<void(double)>& set_blend,
                      const TrainOptions& options, const std::function<bool()>& should_stop,
                      const RememberTrial& remember) {
  options.validate();
  return Search(module, std::move(teacher), data, set_blend, options, should_stop, remember).run();
}

}  // namespace actswap
