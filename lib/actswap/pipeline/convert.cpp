#include <actswap/base/error.h>
#include <actswap/base/same_file.h>
#include <actswap/graph/retarget.h>
#include <actswap/measure/normalisation.h>
#include <actswap/pipeline/batches.h>
#include <actswap/pipeline/choose_plan.h>
#include <actswap/pipeline/conversion.h>
#include <actswap/pipeline/conversion_fields.h>
#include <actswap/pipeline/convert.h>
#include <actswap/pipeline/expect_swaps.h>
#include <actswap/pipeline/phases.h>
#include <actswap/pipeline/recipe.h>
#include <actswap/pipeline/recorded.h>

#include <set>
#include <utility>

namespace actswap {

namespace {

Run convert_planned(const Model& model, const ConvertOptions& options,
                    const ConvertCallbacks& callbacks, const ChosenPlan& chosen,
                    RunProgress progress, Run& run) {
  const auto& plan = chosen.plan;
  Conversion conversion(model, plan, options, callbacks, progress, run);
  conversion.note(chosen);
  conversion.prepare();
  for (std::int64_t i = 1; i < options.seeds; ++i) {
    ConvertOptions other = options;
    other.train.seed += static_cast<std::uint64_t>(i);
    other.run_directory.clear();  // one record, of the first
    const auto seed = std::to_string(other.train.seed);
    const auto key = "result of seed " + seed;
    SeedResult result;
    if (const auto known = progress.checkpoints.finished(key)) {
      restore(result, *known);
    } else {
      conversion.state().message("again with seed " + seed);
      Run of_seed = begun_run(model, plan, other);
      result = Conversion(model, plan, other, callbacks, progress, of_seed).repeat(run);
      progress.checkpoints.forget("seed " + seed);
      progress.checkpoints.finish(key, state_of(result));
    }
    conversion.add(std::move(result));
  }
  return conversion.finish();
}

// If a run is resumed after this phase, it takes the earlier choice.
ChosenPlan chosen_plan(const Model& model, const Plan& plan, const ConvertOptions& options,
                       const ConvertCallbacks& callbacks, RunProgress progress) {
  if (!options.plan_by_sensitivity && !options.budget_ms && !options.min_agreement) {
    return {.plan = plan, .sensitivity = {}};
  }
  if (const auto known = progress.checkpoints.finished("plan")) {
    ChosenPlan chosen{.plan = plan, .sensitivity = {}};
    restore(chosen, *known);
    return chosen;
  }
  progress.log.phase("plan");
  auto chosen = choose_plan(model, plan, options, callbacks, progress.checkpoints);
  if (!options.together.is_alone()) {  // times are different on each rank
    restore(chosen, from_bytes(options.together.of_first(to_bytes(state_of(chosen)))));
  }
  progress.checkpoints.forget(kPlanSearch);
  progress.checkpoints.finish("plan", state_of(chosen));
  return chosen;
}

// Warns about the data in the request, once for each set.
std::vector<std::string> warnings_about(const Model& model, const ConvertRequest& request) {
  std::vector<std::string> warnings;
  std::set<const Dataset*> known = {nullptr};
  for (const auto& [name, data] : {std::pair("calibration data", request.calibration_data),
                                   std::pair("training data", request.train_data),
                                   std::pair("validation data", request.validation_data)}) {
    if (!known.insert(data.get()).second) {
      continue;
    }
    if (const auto doubt = doubt_normalisation(model, *data)) {
      warnings.push_back(std::string(name) + ": " + *doubt);
    }
  }
  return warnings;
}

void say_what_is_done(const ConvertOptions& options, const ConvertRequest& request,
                      const std::function<void(const std::string&)>& say) {
  say("recipe: " + describe(options));
  const auto& forms = options.train.outputs;
  for (std::size_t i = 0; i < forms.size(); ++i) {
    say("output " + std::to_string(i + 1) + " of " + std::to_string(forms.size()) + ": " +
        to_string(forms[i]));
  }
  if (!request.train.loss && has_labels(options.train_data.get()) &&
      !options.train.loss.needs_target()) {
    say("the target of the training data is not learnt: the default loss takes one class, an "
        "integer, for each output; --loss names others");
  }
}

}  // namespace

Run convert(const Model& model, const Plan& plan, const ConvertRequest& request,
            const ConvertCallbacks& callbacks) {
  if (!request.keeps_activations) {
    expect_swaps(model, plan);
  } else if (plan.swapped() > 0) {
    throw UsageError(
        "Expected a plan that swaps nothing where activations are kept, but it swaps " +
        std::to_string(plan.swapped()) + "; take keep_activations(model)");
  }
  const auto warnings = warnings_about(model, request);
  for (std::size_t i = 0; callbacks.on_warning && i < warnings.size(); ++i) {
    callbacks.on_warning(warnings[i]);
  }
  const auto options = resolve(model, request);
  if (callbacks.on_phases) {
    callbacks.on_phases(phases_of(options));
  }
  if (callbacks.on_message) {
    say_what_is_done(options, request, callbacks.on_message);
  }
  if (!options.overwrites_original) {
    check_not_overwritten(options.output, model.path);
  }
  if (!options.together.is_alone()) {
    options.together.expect_same(common_to_ranks(facts_of(model, plan, options)));
  }
  return recorded(model, plan, options, callbacks, [&](RunProgress progress, Run& run) {
    run.warnings = warnings;
    const auto in_batches = with_batches(model, options);
    if (const auto said = batches_in_words(in_batches); callbacks.on_message && !said.empty()) {
      callbacks.on_message(said);
    }
    const auto chosen = chosen_plan(model, plan, in_batches, callbacks, progress);
    return convert_planned(model, in_batches, callbacks, chosen, progress, run);
  });
}

}  // namespace actswap
