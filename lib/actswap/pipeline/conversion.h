// One conversion with one seed, from the blended model to its result; the first writes the export.
#pragma once

#include <actswap/pipeline/choose_plan.h>
#include <actswap/pipeline/conversion_state.h>
#include <actswap/pipeline/conversion_training.h>
#include <actswap/pipeline/site_history.h>

#include <torch/script.h>

#include <optional>
#include <string>

namespace actswap {

class Conversion {
 public:
  /// The arguments must outlive it.
  Conversion(const Model& model, const Plan& plan, const ConvertOptions& options,
             const ConvertCallbacks& callbacks, RunProgress progress, Run& run)
      : state_(model, plan, options, callbacks, progress, run), training_(state_) {}

  /// What the plan was made from.
  void note(const ChosenPlan& chosen);
  /// All but the export.
  void prepare();
  /// With another seed, what the first gave.
  SeedResult repeat(const Run& first);
  void add(SeedResult other);
  /// Writes the export.
  Run finish();

  const ConversionState& state() const { return state_; }

 private:
  SeedResult result() const;
  void retarget();
  Evaluation measured(const std::string& name, torch::jit::Module& module);
  void note_sites();
  void judge_results();
  void check_insertion();
  bool is_ramp() const;
  void prepare_training();
  void write();

  ConversionState state_;
  ConversionTraining training_;
  std::optional<torch::jit::Module> control_;
  std::optional<SiteHistory> sites_;
  bool is_probe_given_ = true;  // otherwise it was found in the file, or guessed
  bool is_probe_data_ = true;
  std::string probe_origin_;
};

}  // namespace actswap
