// One training: what `train` makes and runs. For train/*.cpp alone.
#pragma once

#include <actswap/data/loader.h>
#include <actswap/schedule/closed_loop.h>
#include <actswap/train/averaging.h>
#include <actswap/train/batch_loss.h>
#include <actswap/train/best.h>
#include <actswap/train/divergence.h>
#include <actswap/train/module_tensors.h>
#include <actswap/train/optimizer.h>
#include <actswap/train/ramps.h>
#include <actswap/train/ranks_in_step.h>
#include <actswap/train/trainer.h>
#include <actswap/train/training_place.h>

#include <torch/script.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace actswap {

class Training {
 public:
  Training(torch::jit::Module& module, std::optional<torch::jit::Module> teacher,
           const Dataset& data, const std::vector<Schedule>& schedules,
           const std::function<void(const std::vector<double>&)>& set_blends,
           const TrainOptions& options, const TrainCallbacks& callbacks);

  std::vector<EpochRecord> run();

 private:
  // The training goes back.
  struct Explosion {
    std::string reason;
  };

  void plan_checks();
  double progress_at(std::int64_t step) const;
  std::vector<double> blends_now() const;
  static double mean_of(const std::vector<double>& blends);
  double move() const;
  void move_to(const std::vector<double>& blends) const;
  double seconds() const;
  void run_epoch();
  void end_step();
  void end_epoch();
  void save_at(SavePoint point);
  State state();
  State module_state();
  void restore_module(const State& state);
  void take_up(const State& state);
  void keep_good_state();
  void go_back(const std::string& reason);
  double rate_now() const;
  Progress take_step(const Example& batch, double weight);
  bool should_stop() const;
  void begin(double t);
  void update(const torch::Tensor& loss, double rate);
  void check(double t);
  void expect_finite_parameters(double rate) const;
  void finish();
  double loss_of_swap(const std::function<double()>& measure);
  [[noreturn]] void explode(const std::string& what, double rate) const;

  torch::jit::Module& module_;
  const Dataset& data_;
  const std::function<void(const std::vector<double>&)>& set_blends_;
  const TrainOptions& options_;
  const TrainCallbacks& callbacks_;
  std::vector<torch::Tensor> parameters_;
  RanksInStep ranks_;
  Loader loader_;
  std::int64_t batches_;
  std::int64_t total_steps_;
  Ramps ramps_;
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
  TrainingPlace place_;
  Retries retries_;
  State good_;  // where it goes back to
  std::chrono::steady_clock::time_point begin_;
};

}  // namespace actswap
