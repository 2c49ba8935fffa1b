#include <actswap/base/json_text.h>
#include <actswap/report/claims.h>
#include <actswap/report/formatted.h>
#include <actswap/report/pruning.h>
#include <actswap/report/pruning_json.h>
#include <actswap/report/run_parts_json.h>

#include <algorithm>
#include <cmath>

namespace actswap {

namespace {

using Json = nlohmann::ordered_json;
using Rows = std::vector<std::pair<std::string, std::string>>;

// Columns as wide as their widest cell; numbers on the right.
std::string aligned(const std::vector<std::vector<std::string>>& lines) {
  std::vector<std::size_t> widths;
  for (const auto& line : lines) {
    widths.resize(std::max(widths.size(), line.size()));
    for (std::size_t i = 0; i < line.size(); ++i) {
      widths[i] = std::max(widths[i], line[i].size());
    }
  }
  std::string text;
  for (const auto& line : lines) {
    for (std::size_t i = 0; i < line.size(); ++i) {
      const std::string space(widths[i] - line[i].size(), ' ');
      text += (i == 0 ? line[i] + space : "  " + space + line[i]);
    }
    text += "\n";
  }
  return text;
}

std::string whole(double number) {
  return std::to_string(std::llround(number));
}

std::string change(double before, double after) {
  return whole(before) + " -> " + whole(after) +
         formatted(" (%.1f %% less)", 100.0 * (1.0 - after / std::max(1.0, before)));
}

Json stayed_json(const std::vector<Unprunable>& stayed) {
  Json list = Json::array();
  for (const auto& [name, reason] : stayed) {
    list.push_back({{"name", name}, {"reason", reason}});
  }
  return list;
}

std::string stayed_text(const std::vector<Unprunable>& stayed) {
  std::string text;
  for (const auto& [name, reason] : stayed) {
    text += "  " + name + ": " + reason + "\n";
  }
  return text.empty() ? text : "what stays, and why:\n" + text;
}

Json cost_json(double before, double after) {
  return {{"before", before}, {"after", after}};
}

const char* kind_of(const PruneBudget& budget) {
  return budget.kind == PruneBudget::Kind::multiplications ? "multiplications"
         : budget.kind == PruneBudget::Kind::parameters    ? "parameters"
                                                           : "latency";
}

std::string label_of(const Judgement& judgement) {
  return judgement.evaluation                  ? judgement.evaluation->metric
         : judgement.agreement.same_prediction ? "same prediction as the original"
                                               : "cosine with the original's outputs";
}

std::string text_of(const Judgement& judgement) {
  const auto& agreement = judgement.agreement;
  return judgement.evaluation        ? metric_text(*judgement.evaluation)
         : agreement.same_prediction ? formatted("%.2f %%", *agreement.same_prediction)
                                     : formatted("%.5f", agreement.mean_cosine);
}

}  // namespace

std::string units_table(const Units& units) {
  std::vector<std::vector<std::string>> lines = {
      {"units of", "units", "multiplications each", "parameters each"}};
  for (const auto& group : units.groups) {
    lines.push_back({group.name, std::to_string(group.count), whole(group.multiplications),
                     whole(group.parameters)});
  }
  return (units.groups.empty() ? "nothing can be pruned\n" : aligned(lines)) +
         stayed_text(units.rest);
}

namespace {

Json units_json_object(const Units& units) {
  Json groups = Json::array();
  for (const auto& group : units.groups) {
    groups.push_back({{"name", group.name},
                      {"units", group.count},
                      {"multiplications", group.multiplications},
                      {"parameters", group.parameters}});
  }
  return {{"groups", groups}, {"stay", stayed_json(units.rest)}};
}

}  // namespace

std::string units_json(const Model& model, const Units& units) {
  Json json = {{"schema", 1}, {"model", {{"path", model.path}, {"sha256", model.sha256()}}}};
  json.update(units_json_object(units));
  return json_text(json);
}

std::string pruning_table(const Pruning& pruning) {
  std::vector<std::vector<std::string>> lines = {
      {"units of", "before", "after", "dead", "lost variance"}};
  for (const auto& group : pruning.groups) {
    lines.push_back(
        {group.name, std::to_string(group.before), std::to_string(group.after),
         std::to_string(group.dead + group.constant),
         formatted("%.2f %%", 100.0 * group.loss) + (group.is_exact ? "" : " (estimate)")});
  }
  return aligned(lines);
}

Rows pruning_rows(const PruneRecord& record) {
  const auto& pruning = record.pruning;
  Rows rows = {
      {"pruned", summary(pruning)},
      {"multiplications", change(pruning.before.multiplications, pruning.after.multiplications)},
      {"parameters, pruned", change(pruning.before.parameters, pruning.after.parameters)}};
  const std::pair<const char*, const std::optional<Judgement>*> stages[] = {
      {", before pruning", &record.swapped},
      {", after pruning", &record.pruned},
      {", after the joint fit", &record.refitted}};
  for (const auto& [when, judgement] : stages) {
    if (*judgement) {
      rows.emplace_back(label_of(**judgement) + when, text_of(**judgement));
    }
  }
  return rows;
}

nlohmann::ordered_json pruning_json(const PruneRecord& record, const CalibrationOptions& options) {
  const auto& pruning = record.pruning;
  Json groups = Json::array();
  for (const auto& group : pruning.groups) {
    groups.push_back({{"name", group.name},
                      {"before", group.before},
                      {"after", group.after},
                      {"dead", group.dead},
                      {"constant", group.constant},
                      {"score", group.is_exact ? "least squares" : "magnitude and variance"},
                      {"exchanges", group.exchanges},
                      {"loss", group.loss}});
  }
  Json json = {
      {"budget", {{"kind", kind_of(pruning.budget)}, {"value", pruning.budget.value}}},
      {"keep", pruning.keep},
      {"round", pruning.round},
      {"multiplications", cost_json(pruning.before.multiplications, pruning.after.multiplications)},
      {"parameters", cost_json(pruning.before.parameters, pruning.after.parameters)},
      {"seconds", pruning.seconds},
      {"groups", groups},
      {"stay", stayed_json(pruning.stayed)}};
  const std::pair<const char*, const std::optional<Judgement>*> stages[] = {
      {"before_pruning", &record.swapped},
      {"after_pruning", &record.pruned},
      {"after_joint_fit", &record.refitted}};
  for (const auto& [when, judgement] : stages) {
    if (*judgement) {
      json[when] = judgement_json(**judgement);
    }
  }
  json["refit"] = calibration_json(pruning.refit, options);
  return json;
}

}  // namespace actswap
