#include <actswap/base/counted.h>
#include <actswap/report/claims.h>
#include <actswap/report/formatted.h>

#include <functional>

namespace actswap {

namespace {

using Json = nlohmann::ordered_json;
using Rows = std::vector<std::pair<std::string, std::string>>;

// One of the two that the result is set against.
struct Reference {
  std::string name;
  const Evaluation* evaluation = nullptr;
  std::optional<Comparison> comparison = {};
  std::optional<Interval> over_seeds = {};
};

std::vector<Reference> references(const Run& run) {
  std::vector<Reference> found;
  if (!run.retargeted) {
    return found;
  }
  const bool several = run.seeds.size() > 1;
  if (run.original) {
    found.push_back({"original", &*run.original, compare(*run.retargeted, *run.original)});
    if (several) {
      found.back().over_seeds = over_seeds_against(run.seeds, *run.original);
    }
  }
  if (run.control) {
    found.push_back({"control", &*run.control, compare(*run.retargeted, *run.control)});
    if (several) {
      found.back().over_seeds = over_seeds_against_control(run.seeds);
    }
  }
  return found;
}

Json interval_json(const Interval& interval) {
  return {{"difference", interval.mean},
          {"half_width", interval.half_width},
          {"count", interval.count},
          {"distinct", interval.is_distinct()}};
}

Json comparison_json(const Reference& reference) {
  Json json = Json::object();
  if (reference.comparison) {
    json["examples"] = interval_json(reference.comparison->difference);
    json["mean_loss"] = interval_json(reference.comparison->loss_difference);
    if (const auto& worst = reference.comparison->worst_class) {
      json["worst_class"] = {
          {"class", worst->index}, {"before", worst->before}, {"after", worst->after}};
    }
  }
  if (reference.over_seeds) {
    json["seeds"] = interval_json(*reference.over_seeds);
  }
  return json;
}

bool is_percent(const Evaluation& evaluation) {
  return evaluation.metric == "accuracy";
}

std::string interval_text(const Interval& interval, bool percent) {
  return formatted(percent ? "%+.2f" : "%+.3g", interval.mean) +
         formatted(percent ? " ± %.2f" : " ± %.3g", interval.half_width);
}

// A figure of the exported model, with the control's beside it.
std::string beside_control(const Run& run, const std::string& ours,
                           const std::function<std::string(const Agreement&)>& of) {
  return ours + (run.control_agreement ? " (control " + of(*run.control_agreement) + ")" : "");
}

void add_agreement(const Run& run, Rows& rows) {
  const auto add = [&](const std::string& label,
                       const std::function<std::string(const Agreement&)>& of) {
    rows.emplace_back(label, beside_control(run, of(*run.agreement), of));
  };
  const bool has_classes = run.agreement->same_prediction.has_value();
  if (has_classes) {
    add("same prediction as the original", [](const Agreement& agreement) {
      return formatted("%.2f %%", agreement.same_prediction.value_or(0.0));
    });
  }
  if (!has_classes || !run.retargeted) {
    add("cosine with the original's outputs",
        [](const Agreement& agreement) { return formatted("%.5f", agreement.mean_cosine); });
    add("relative error of the outputs",
        [](const Agreement& agreement) { return formatted("%.3g", agreement.relative_error); });
  }
}

}  // namespace

Json agreement_json(const Agreement& agreement) {
  return {
      {"relative_error", agreement.relative_error},
      {"mean_cosine", agreement.mean_cosine},
      {"same_prediction", agreement.same_prediction ? Json(*agreement.same_prediction) : Json()}};
}

Json judgement_json(const Judgement& judgement) {
  return {{"value", judgement.evaluation ? Json(judgement.evaluation->value) : Json()},
          {"agreement", agreement_json(judgement.agreement)}};
}

std::string metric_text(const Evaluation& evaluation) {
  return evaluation.metric == "accuracy" ? formatted("%.2f %%", evaluation.value)
                                         : formatted("%.6g", evaluation.value);
}

void add_claims(Json& json, const Run& run) {
  if (run.agreement) {
    json["agreement"]["retargeted"] = agreement_json(*run.agreement);
  }
  if (run.control_agreement) {
    json["agreement"]["control"] = agreement_json(*run.control_agreement);
  }
  for (const auto& reference : references(run)) {
    json["comparisons"][reference.name] = comparison_json(reference);
  }
  for (const auto& each : run.seeds) {
    json["seeds"].push_back({{"seed", each.seed},
                             {"retargeted", judgement_json(each.retargeted)},
                             {"control", each.control ? judgement_json(*each.control) : Json()}});
  }
}

Rows claim_rows(const Run& run) {
  Rows rows;
  const auto found = references(run);
  for (const auto& reference : found) {
    if (const auto& comparison = reference.comparison) {
      rows.emplace_back("against the " + reference.name,
                        interval_text(comparison->difference, is_percent(*reference.evaluation)) +
                            ", paired over " + counted(comparison->difference.count, "example"));
    }
    if (const auto& seeds = reference.over_seeds) {
      rows.emplace_back("against the " + reference.name + ", over seeds",
                        interval_text(*seeds, is_percent(*reference.evaluation)) + ", " +
                            counted(seeds->count, "seed"));
    }
  }
  for (const auto& reference : found) {
    if (reference.comparison && reference.comparison->worst_class) {
      const auto& worst = *reference.comparison->worst_class;
      rows.emplace_back(
          reference.name == "original" ? "largest fall in a class" : "the same against the control",
          "class " + std::to_string(worst.index) + ": " + formatted("%.2f", worst.before) + " -> " +
              formatted("%.2f %%", worst.after));
    }
  }
  if (run.agreement) {
    add_agreement(run, rows);
  }
  return rows;
}

}  // namespace actswap
