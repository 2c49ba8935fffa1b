// The trainings of a conversion: of the retargeted model, and of the control.
#pragma once

#include <actswap/pipeline/conversion_state.h>

#include <torch/script.h>

#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace actswap {

class ConversionTraining {
 public:
  explicit ConversionTraining(ConversionState& state) : state_(state) {}

  void train_retargeted();
  /// The original with the same budget, data and seed.
  torch::jit::Module train_control();

 private:
  TrainCallbacks callbacks_of(const std::string& name, torch::jit::Module& module,
                              std::vector<EpochRecord>& epochs);
  void move_to(const std::vector<double>& blends);
  Check check(torch::jit::Module& module);
  std::vector<Schedule> plan_ramps();
  void warn_of_a_long_ramp() const;
  void sweep_rates_from(const std::vector<Schedule>& ramps,
                        const std::function<void(const std::vector<double>&)>& move);
  void note(const TrainingEffect& effect);
  torch::jit::Module original_for(const Loss& loss, Tensors tensors) const;
  std::optional<torch::jit::Module> teacher_for(const Loss& loss) const;

  ConversionState& state_;
};

}  // namespace actswap
