#include <actswap/base/error.h>
#include <actswap/pipeline/effects.h>

#include <optional>
#include <string>
#include <vector>

namespace actswap {

namespace {

struct Facts {
  const ConvertRequest& request;
  Recipe recipe;
  bool calibrates() const {
    return has_calibration(recipe) && (request.calibration_data || request.trains());
  }
  bool has_loss(Signal signal) const {  // the default loss may have any
    return !request.train.loss || request.train.loss->has(signal);
  }
  bool is_adamw() const {
    return request.train.optimizer.value_or(OptimizerKind::adamw) == OptimizerKind::adamw;
  }
};

struct Need {
  const char* text;  // completes "... has no effect without "
  bool (*is_met)(const Facts& facts);
};

constexpr Need kTraining = {"training data (--train DATA) and epochs above 0 (--epochs)",
                            [](const Facts& facts) { return facts.request.trains(); }};
constexpr Need kTrainingData = {"training data (--train DATA)", [](const Facts& facts) {
                                  return facts.request.train_data != nullptr;
                                }};
constexpr Need kData = {
    "data to calibrate or train on (--calibrate DATA, --train DATA)",
    [](const Facts& facts) { return facts.request.calibration_data || facts.request.trains(); }};
constexpr Need kCalibratingRecipe = {
    "a recipe that calibrates (--recipe calibrated, calibrated-ramp)",
    [](const Facts& facts) { return has_calibration(facts.recipe); }};
constexpr Need kCalibration = {
    "a calibration (--calibrate DATA, or --train DATA and a recipe that calibrates)",
    [](const Facts& facts) { return facts.calibrates(); }};
constexpr Need kPasses = {
    "passes that fit all layers together (--calibrate-passes above 0)", [](const Facts& facts) {
      const auto& calibration = facts.request.calibration;
      return calibration.passes != std::int64_t{0} && calibration.minutes != 0.0;
    }};
constexpr Need kOwnPasses = {"passes that follow from the time (no --calibrate-passes)",
                             [](const Facts& facts) { return !facts.request.calibration.passes; }};
constexpr Need kRamp = {"a recipe with a ramp (--recipe ramp, calibrated-ramp)",
                        [](const Facts& facts) { return has_ramp(facts.recipe); }};
constexpr Need kGradual = {
    "a curve that rises gradually (--curve linear, cosine, cubic)",
    [](const Facts& facts) { return facts.request.ramp.curve != Curve::step; }};
constexpr Need kRampLength = {"--ramp-begin, --ramp-end or --hold", [](const Facts& facts) {
                                const auto& ramp = facts.request.ramp;
                                return ramp.begin || ramp.end || ramp.hold;
                              }};
constexpr Need kSgd = {"the optimizer sgd (--optimizer sgd)",
                       [](const Facts& facts) { return !facts.is_adamw(); }};
constexpr Need kRateOfCalibration = {
    "the recipe calibrated and the optimizer adamw",
    [](const Facts& facts) { return facts.recipe == Recipe::calibrated && facts.is_adamw(); }};
constexpr Need kDistil = {"the loss distil or outputs", [](const Facts& facts) {
                            return facts.has_loss(Signal::distil) ||
                                   facts.has_loss(Signal::outputs);
                          }};
constexpr Need kClasses = {"the loss distil, outputs or cross-entropy", [](const Facts& facts) {
                             return facts.has_loss(Signal::distil) ||
                                    facts.has_loss(Signal::outputs) ||
                                    facts.has_loss(Signal::cross_entropy);
                           }};
constexpr Need kValidation = {"validation data (--val DATA)", [](const Facts& facts) {
                                return facts.request.validation_data != nullptr;
                              }};
constexpr Need kLabels = {
    "labelled validation data (--val DATA with a target)",
    [](const Facts& facts) { return has_labels(facts.request.validation_data.get()); }};
constexpr Need kMaxDrop = {"the largest drop that is accepted (--max-drop)",
                           [](const Facts& facts) { return facts.request.max_drop.has_value(); }};
constexpr Need kPlanning = {"--plan-by-sensitivity, --budget-ms or --min-agreement",
                            [](const Facts& facts) {
                              return facts.request.plan_by_sensitivity || facts.request.budget_ms ||
                                     facts.request.min_agreement;
                            }};
constexpr Need kCompared = {
    "inputs to compare on (--val DATA; or --calibrate DATA, if there is no --train)",
    [](const Facts& facts) {
      return facts.request.validation_data != nullptr ||
             (facts.request.calibration_data != nullptr && !facts.request.trains());
    }};
constexpr Need kPruning = {"a size to prune to (--prune, --prune-to)",
                           [](const Facts& facts) { return facts.request.prune.is_asked_for(); }};
constexpr Need kAgreement = {"a least agreement (--min-agreement)", [](const Facts& facts) {
                               return facts.request.min_agreement.has_value();
                             }};

constexpr Need kRecord = {
    "a record of the run (--run-dir, or data to calibrate or train on)", [](const Facts& facts) {
      const auto& request = facts.request;
      return request.run_directory ? !request.run_directory->empty()
                                   : request.calibration_data || request.trains();
    }};

template <typename T>
bool is_given(const std::optional<T>& value) {
  return value.has_value();
}
bool is_given(bool flag) {
  return flag;
}
template <typename T>
bool is_given(const std::vector<T>& values) {
  return !values.empty();
}
bool is_given(const std::shared_ptr<Dataset>& data) {
  return data != nullptr;
}

template <auto field>
bool has(const ConvertRequest& request) {
  return is_given(request.*field);
}
template <auto part, auto field>
bool has(const ConvertRequest& request) {
  return is_given((request.*part).*field);
}
template <auto field>
constexpr auto kTrain = has<&ConvertRequest::train, field>;
template <auto field>
constexpr auto kCalibrate = has<&ConvertRequest::calibration, field>;
template <auto field>
constexpr auto kPrune = has<&ConvertRequest::prune, field>;
template <auto field>
constexpr auto kRise = has<&ConvertRequest::ramp, field>;
template <LearningRate::Kind kind>
bool has_rate(const ConvertRequest& request) {
  return request.train.learning_rate && request.train.learning_rate->kind == kind;
}

struct Option {
  const char* name;
  bool (*is_given)(const ConvertRequest& request);
  std::vector<const Need*> needs;
};

const std::vector<Option>& options() {
  using Request = ConvertRequest;
  using Train = TrainRequest;
  using Calibration = CalibrationRequest;
  using Ramp = RampRequest;
  using Kind = LearningRate::Kind;
  static const std::vector<Option> kOptions = {
      {"--epochs",
       [](const Request& request) { return request.train.epochs.value_or(0.0) != 0.0; },
       {&kTrainingData}},
      {"--recipe", has<&Request::recipe>, {&kData}},
      {"--recipe",
       [](const Request& request) {
         return request.recipe && *request.recipe != Recipe::calibrated;
       },
       {&kTraining}},
      {"--calibrate", has<&Request::calibration_data>, {&kCalibratingRecipe}},
      {"--calibrate-inputs", kCalibrate<&Calibration::inputs>, {&kCalibration}},
      {"--calibrate-batch", kCalibrate<&Calibration::batch_size>, {&kCalibration}},
      {"--calibrate-passes", kCalibrate<&Calibration::passes>, {&kCalibration}},
      {"--calibrate-minutes", kCalibrate<&Calibration::minutes>, {&kCalibration, &kOwnPasses}},
      {"--calibrate-draw", kCalibrate<&Calibration::draws_each_pass>, {&kCalibration, &kPasses}},
      {"--calibrate-memory", kCalibrate<&Calibration::memory>, {&kCalibration}},
      {"calibration.max_features", kCalibrate<&Calibration::max_features>, {&kCalibration}},
      {"--prune", kPrune<&PruneRequest::share>, {&kCalibration}},
      {"--prune-to", kPrune<&PruneRequest::to>, {&kCalibration}},
      {"--prune-keep", kPrune<&PruneRequest::keep>, {&kPruning}},
      {"--prune-round", kPrune<&PruneRequest::round>, {&kPruning}},
      {"--keep-activations", has<&Request::keeps_activations>, {&kPruning}},
      {"--curve", kRise<&Ramp::curve>, {&kTraining, &kRamp}},
      {"--ramp-begin", kRise<&Ramp::begin>, {&kTraining, &kRamp, &kGradual}},
      {"--ramp-end", kRise<&Ramp::end>, {&kTraining, &kRamp}},
      {"--hold", kRise<&Ramp::hold>, {&kTraining, &kRamp}},
      {"--ramp-unit", kRise<&Ramp::unit>, {&kTraining, &kRamp, &kRampLength}},
      {"--order", kRise<&Ramp::order>, {&kTraining, &kRamp}},
      {"ramp.site_order", kRise<&Ramp::site_order>, {&kTraining, &kRamp}},
      {"--bound", kRise<&Ramp::bound>, {&kTraining, &kRamp, &kValidation}},
      {"--blend-code", has<&Request::blend_code>, {&kTraining}},
      {"--batch", kTrain<&Train::batch_size>, {&kTraining}},
      {"--loss", kTrain<&Train::loss>, {&kTraining}},
      {"--temperature", kTrain<&Train::temperature>, {&kTraining, &kDistil}},
      {"--class-dim", kTrain<&Train::class_dim>, {&kTraining, &kClasses}},
      {"--optimizer", kTrain<&Train::optimizer>, {&kTraining}},
      {"--lr", kTrain<&Train::learning_rate>, {&kTraining}},
      {"--lr calibrated", has_rate<Kind::calibrated>, {&kRateOfCalibration}},
      {"--momentum", kTrain<&Train::momentum>, {&kTraining, &kSgd}},
      {"--weight-decay", kTrain<&Train::weight_decay>, {&kTraining}},
      {"--clip", kTrain<&Train::clip_norm>, {&kTraining}},
      {"--warmup", kTrain<&Train::warmup>, {&kTraining}},
      {"--average", kTrain<&Train::average>, {&kTraining}},
      {"--batch-norm", kTrain<&Train::keeps_statistics>, {&kTraining}},
      {"--augment", kTrain<&Train::augmentation>, {&kTraining}},
      {"--check-every", kTrain<&Train::check_every>, {&kTraining, &kValidation}},
      {"--keep-best", kTrain<&Train::keep>, {&kTraining, &kValidation}},
      {"--patience", kTrain<&Train::patience>, {&kTraining, &kValidation}},
      {"--retries", kTrain<&Train::retries>, {&kTraining}},
      {"--checkpoint-every", has<&Request::checkpoint_every>, {&kRecord}},
      {"--resume", has<&Request::resumes>, {&kRecord}},
      {"--control", has<&Request::control>, {&kTraining, &kValidation}},
      {"--seed", has<&Request::seed>, {&kData}},
      {"--seeds", has<&Request::seeds>, {&kData, &kValidation}},
      {"--max-drop", has<&Request::max_drop>, {&kLabels}},
      {"--plan-by-sensitivity", has<&Request::plan_by_sensitivity>, {&kMaxDrop}},
      {"--budget-ms", has<&Request::budget_ms>, {&kValidation}},
      {"--min-agreement", has<&Request::min_agreement>, {&kCompared}},
      {"--agreement", has<&Request::agreement>, {&kAgreement}},
      {"--sensitivity-examples", has<&Request::sensitivity_examples>, {&kPlanning}},
  };
  return kOptions;
}

}  // namespace

void check_effects(const ConvertRequest& request, Recipe recipe) {
  const Facts facts{request, recipe};
  for (const auto& option : options()) {
    if (!option.is_given(request)) {
      continue;
    }
    for (const auto* need : option.needs) {
      if (!need->is_met(facts)) {
        throw UsageError(std::string(option.name) + " has no effect without " + need->text);
      }
    }
  }
}

}  // namespace actswap
