#include <actswap/base/json_text.h>
#include <actswap/measure/sensitivity_plan.h>
#include <actswap/report/claims.h>
#include <actswap/report/formatted.h>
#include <actswap/report/function_totals.h>
#include <actswap/report/latency.h>
#include <actswap/report/partial_swap.h>
#include <actswap/report/partial_swap_json.h>
#include <actswap/report/pruning.h>
#include <actswap/report/pruning_json.h>
#include <actswap/report/run.h>
#include <actswap/report/run_parts_json.h>
#include <actswap/report/sensitivity_json.h>

#include <torch/version.h>

#include <nlohmann/json.hpp>

#include <algorithm>

namespace actswap {

namespace {

using Json = nlohmann::ordered_json;

Json plan_json(const Plan& plan) {
  Json sites = Json::array();
  for (const auto& planned : plan.sites) {
    const auto& site = planned.site;
    Json parameters = Json::object();
    const auto& row = *site.activation.activation;
    for (std::size_t i = 0; i < row.parameters.size(); ++i) {
      parameters[row.parameters[i].name] = site.activation.parameters[i];
    }
    sites.push_back({{"id", site.id},
                     {"module", site.module},
                     {"method", site.method},
                     {"activation", row.name},
                     {"params", parameters},
                     {"form", to_string(site.form)},
                     {"in_place", site.in_place},
                     {"shared_with", site.shared_with},
                     {"selected", planned.target.has_value()},
                     {"target", planned.target ? Json(planned.target->to_string()) : Json()},
                     {"reason", planned.reason}});
  }
  return sites;
}

Json totals_json(const Plan& plan, const std::map<std::string, SiteCost>& costs) {
  Json functions = Json::array();
  for (const auto& total : function_totals(plan, costs)) {
    Json row = {{"function", total.function},
                {"sites", total.sites},
                {"swapped", total.swapped},
                {"targets", total.targets}};
    if (!costs.empty()) {
      row["calls"] = total.calls;
      row["milliseconds"] = total.milliseconds;
      row["share"] = total.share;
    }
    functions.push_back(row);
  }
  return functions;
}

Json evaluation_json(const Evaluation& evaluation) {
  Json classes = Json::array();
  for (const double value : evaluation.per_class) {
    classes.push_back(value);  // a NaN, for a class without examples, becomes null
  }
  return {{"metric", evaluation.metric},
          {"value", evaluation.value},
          {"mean_loss", evaluation.mean_loss},
          {"mean_cosine", evaluation.mean_cosine ? Json(*evaluation.mean_cosine) : Json()},
          {"examples", evaluation.examples},
          {"per_class", classes}};
}

// Beside those of calibration and training.
Json options_json(const RunOptions& options) {
  return {{"control", options.control},
          {"seeds", options.seeds},
          {"max_drop", optional_json(options.max_drop)},
          {"plan_by_sensitivity", options.plan_by_sensitivity},
          {"budget_ms", optional_json(options.budget_ms)},
          {"min_agreement", optional_json(options.min_agreement)}};
}

Json value_of(const std::optional<Evaluation>& evaluation) {
  return evaluation ? Json(evaluation->value) : Json();
}

// Of a training that was not kept whole.
std::string kept_part_text(const TrainingEffect& effect) {
  const auto from = formatted(", from %.3g to ", effect.before);
  const auto end = formatted("%.3g", effect.after);
  return effect.is_taken_back()
             ? "taken back: it made the loss worse" + from + end
             : formatted("%.3g %% of the way kept: the loss fell", 100.0 * effect.kept_share) +
                   from + formatted("%.3g", effect.kept_loss) + "; at the end it was " + end;
}

// Those that the plan before would have swapped.
std::string kept_by_sensitivity(const Run& run) {
  std::string text;
  for (const auto& planned : run.plan.sites) {
    const bool measured = std::ranges::any_of(
        run.sensitivity->sites, [&](const auto& site) { return site.id == planned.site.id; });
    if (measured && !planned.target) {
      text += (text.empty() ? "" : ", ") + planned.site.id;
    }
  }
  return text.empty() ? "none" : text;
}

class Table {
 public:
  void row(const std::string& label, const std::string& value) { rows_.emplace_back(label, value); }
  std::string text() const {
    std::size_t width = 0;
    for (const auto& [label, value] : rows_) {
      width = std::max(width, label.size());
    }
    std::string text;
    for (const auto& [label, value] : rows_) {
      text += label + std::string(width - label.size() + 2, ' ') + value + "\n";
    }
    return text;
  }

 private:
  std::vector<std::pair<std::string, std::string>> rows_;
};

}  // namespace

std::string to_json(const Plan& plan) {
  return json_text(plan_json(plan));
}

std::string inspection_json(const Model& model, const Plan& plan,
                            const std::map<std::string, SiteCost>& costs,
                            const std::optional<Latency>& latency) {
  Json methods = Json::array();
  for (const auto& method : model.module.get_methods()) {
    methods.push_back(method.name());
  }
  Json json;
  json["schema"] = 1;
  json["model"] = {{"path", model.path},
                   {"sha256", model.sha256()},
                   {"kind", to_string(model.kind)},
                   {"fixed_mode", model.fixed_mode},
                   {"methods", methods},
                   {"parameters", parameter_count(model.module)}};
  if (latency) {
    json["latency"] = to_json_object(*latency);
  }
  json["functions"] = totals_json(plan, costs);
  json["sites"] = plan_json(plan);
  for (auto& site : json["sites"]) {
    if (const auto cost = costs.find(site["id"].get<std::string>()); cost != costs.end()) {
      site.update(site_record_json({.cost = cost->second}));
    }
  }
  return json_text(json);
}

std::string to_json(const Run& run) {
  Json json;
  json["schema"] = 1;
  json["actswap"] = ACTSWAP_VERSION;
  json["libtorch"] = TORCH_VERSION;
  json["status"] = to_string(run.state.status);
  json["status_reason"] = run.state.reason;
  json["begun"] = run.state.begun;
  json["updated"] = run.state.updated;
  json["process"] = {{"pid", run.state.process}, {"host", run.state.host}};
  json["invocation"] = {{"arguments", run.invocation.arguments},
                        {"directory", run.invocation.directory},
                        {"job", run.invocation.job}};
  json["options_sha256"] = run.options_sha256;
  json["model"] = {{"path", run.model_path}, {"sha256", run.model_sha256}};
  json["output"] = run.output;
  json["run_dir"] = run.run_directory;
  json["sites_swapped"] = run.plan.swapped();
  json["parameters"] = run.parameters;
  json["verified"] = run.verification.verified;
  json["max_abs_diff"] = run.verification.max_abs_diff;
  json["max_rel_diff"] = run.verification.max_rel_diff;
  json["reason"] = run.verification.reason;
  json["verified_on"] = run.verification.inputs;
  json["random"] = run.verification.is_random;
  json["self_test"] = to_string(run.verification.self_test);
  if (run.sensitivity) {
    json["sensitivity"] = to_json_object(*run.sensitivity);
  }
  if (run.partial) {
    json["partial"] = to_json_object(*run.partial);
  } else if (run.sensitivity) {
    const auto prediction = predict(run.plan, *run.sensitivity);
    json["predicted"] = {{"drop", prediction.drop},
                         {"latency_ms", optional_json(prediction.latency_ms)}};
  }
  if (run.calibration) {
    json["calibration"] = calibration_json(*run.calibration, run.options.calibration);
  }
  if (run.pruning) {
    json["pruning"] = pruning_json(*run.pruning, run.options.calibration);
  }
  json["recipe"] = run.recipe;
  json["warnings"] = run.warnings;
  json["options"] = options_json(run.options);
  json["trained"] = run.trained;
  if (run.trained) {
    json["training"] = training_json(run);
    json["epochs"] = epochs_json(run.epochs);
    json["control_epochs"] = epochs_json(run.control_epochs);
  }
  json["metric"] = run.original ? Json(run.original->metric) : Json();
  json["original"] = value_of(run.original);
  json["swap_alone"] = value_of(run.swap_alone);
  json["calibrated"] = value_of(run.calibrated);
  json["retargeted"] = value_of(run.retargeted);
  json["control"] = value_of(run.control);
  json["evaluations"] = Json::object();
  const std::pair<const char*, const std::optional<Evaluation>*> evaluations[] = {
      {"original", &run.original},
      {"swap_alone", &run.swap_alone},
      {"calibrated", &run.calibrated},
      {"retargeted", &run.retargeted},
      {"control", &run.control}};
  for (const auto& [name, evaluation] : evaluations) {
    if (*evaluation) {
      json["evaluations"][name] = evaluation_json(**evaluation);
    }
  }
  add_claims(json, run);
  if (run.latency.size() == 2) {
    json["latency"] = {{"original_ms", run.latency[0].median_ms},
                       {"exported_ms", run.latency[1].median_ms},
                       {"ratio", run.latency[1].ratio_to_first},
                       {"original", to_json_object(run.latency[0])},
                       {"exported", to_json_object(run.latency[1])}};
  }
  if (run.machine) {
    json["machine"] = machine_json(*run.machine);
  }
  json["seconds"] = run.seconds;
  json["sites"] = plan_json(run.plan);
  for (auto& site : json["sites"]) {
    if (const auto found = run.sites.find(site["id"].get<std::string>());
        found != run.sites.end()) {
      site.update(site_record_json(found->second));
    }
  }
  return json_text(json);
}

std::string summary_table(const Run& run) {
  Table table;
  table.row("sites swapped",
            std::to_string(run.plan.swapped()) + " of " + std::to_string(run.plan.sites.size()));
  if (run.sensitivity) {
    table.row("sites kept by sensitivity", kept_by_sensitivity(run));
  }
  if (run.sensitivity && !run.partial) {
    const auto prediction = predict(run.plan, *run.sensitivity);
    table.row("predicted from its sites",
              formatted("a loss of %.4g", prediction.drop) + " (" + run.sensitivity->measure + ")" +
                  (prediction.latency_ms ? formatted(", %.3f ms", *prediction.latency_ms) : ""));
  }
  table.row("parameters", std::to_string(run.parameters));
  if (run.trained || run.calibration || run.pruning) {
    table.row("recipe", run.recipe);
  }
  if (run.original) {
    const auto& name = run.original->metric;
    table.row(name + ", original", metric_text(*run.original));
    if (run.swap_alone) {
      table.row(name + ", after the swap alone", metric_text(*run.swap_alone));
    }
    if (run.calibrated) {
      table.row(name + ", after calibration", metric_text(*run.calibrated));
    }
  }
  if (run.pruning) {
    for (const auto& [label, value] : pruning_rows(*run.pruning)) {
      table.row(label, value);
    }
  }
  if (run.original) {
    const auto& name = run.original->metric;
    if (run.trained && run.retargeted) {
      table.row(name + ", after training", metric_text(*run.retargeted));
    }
    if (run.control) {
      table.row(name + ", control (original trained on)", metric_text(*run.control));
    }
  }
  if (!run.control_diverged.empty()) {
    table.row("control", "none: " + run.control_diverged);
  }
  if (run.training_effect && !run.training_effect->diverged.empty()) {
    table.row("training", "taken back: " + run.training_effect->diverged);
  } else if (run.training_effect && run.training_effect->kept_share < 1.0) {
    table.row("training", kept_part_text(*run.training_effect));
  }
  for (const auto& [label, value] : claim_rows(run)) {
    table.row(label, value);
  }
  if (run.latency.size() == 2) {
    table.row("latency, original", latency_text(run.latency[0]));
    table.row("latency, exported", latency_text(run.latency[1]));
    table.row("latency, ratio", ratio_text(run.latency[1]));
  }
  if (!run.verification.inputs.empty()) {
    table.row("verified on", run.verification.inputs);
  }
  table.row("verified", run.verification.verified
                            ? "yes, largest relative difference " +
                                  formatted("%.2g", run.verification.max_rel_diff)
                            : "no: " + run.verification.reason);
  if (run.verification.is_random) {
    table.row("random numbers",
              "drawn by the model in eval mode: noise, or dropout that is always on");
  }
  table.row("self-test", self_test_text(run.verification));
  for (const auto& warning : run.warnings) {
    table.row("warning", warning);
  }
  table.row("written", run.output);
  return (run.partial ? partial_swap_table(*run.partial) + "\n" : "") +
         (run.pruning ? pruning_table(run.pruning->pruning) + "\n" : "") + table.text();
}

}  // namespace actswap
