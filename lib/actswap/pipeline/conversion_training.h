// The training runs of a conversion: of the retargeted model, and of the control.
#pragma once

#include <actswap/data/subset.h>
#include <actswap/pipeline/conversion_state.h>
#include <actswap/train/rate_sweep.h>

#include <torch/script.h>

#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace actswap {

class ConversionTraining {
 public:
  explicit ConversionTraining(ConversionState& state) : state_(state) {}

  /// Whether the model and its loss suit each other, as far as that takes the blends.
  /// @throws UsageError
  void check_layers();
  void train_retargeted();
  /// The original with the same budget, data and seed. None where that diverges, which the record
  /// says: it does not concern the model that is exported.
  std::optional<torch::jit::Module> train_control();

 private:
  TrainCallbacks callbacks_of(const std::string& name, std::vector<EpochRecord>& epochs,
                              const std::function<Check()>& check);
  TrainCallbacks callbacks_of_retargeted(const std::function<Check()>& check);
  void move_to(const std::vector<double>& blends);
  std::function<Check()> check_of(torch::jit::Module& module);
  Check check(torch::jit::Module& module);
  void train_on_all(const std::vector<Schedule>& ramps);
  void train_with_held_out(const std::vector<Schedule>& ramps);
  bool take_up_finished();
  void finish_training();
  std::vector<Schedule> plan_ramps();
  void warn_of_a_long_ramp() const;
  RememberTrial remember_trials();
  void sweep_rates_from(const std::vector<Schedule>& ramps);
  void search_rate_on(const HeldOut& data);
  void note(const RateSweep& rates);
  void note(const Retry& retry, std::vector<EpochRecord>& epochs);
  void note(const TrainingEffect& effect);
  torch::jit::Module original_for(const Loss& loss, Tensors tensors) const;
  std::optional<torch::jit::Module> teacher_for(const Loss& loss) const;

  ConversionState& state_;
};

}  // namespace actswap
