#include <actswap/base/counted.h>
#include <actswap/base/json_text.h>
#include <actswap/report/formatted.h>
#include <actswap/report/sensitivity.h>
#include <actswap/report/sensitivity_json.h>

#include <algorithm>
#include <cmath>

namespace actswap {

namespace {

using Json = nlohmann::ordered_json;

std::optional<double> gain_per_loss(const SiteSensitivity& site) {
  return site.time && site.loss > 0.0 ? std::optional(site.time->milliseconds / site.loss)
                                      : std::nullopt;
}

Json site_json(const SiteSensitivity& site) {
  Json json = {{"id", site.id},
               {"source", site.source},
               {"target", site.target},
               {"value", site.value},
               {"loss", site.loss},
               {"loss_half_width", site.loss_half_width},
               {"mean_loss_increase", site.mean_loss_increase},
               {"relative_error", site.agreement.relative_error},
               {"mean_cosine", site.agreement.mean_cosine},
               {"same_prediction", optional_json(site.agreement.same_prediction)}};
  if (site.time) {
    json["calls"] = site.time->cost.calls;
    json["shape"] = site.time->cost.shape;
    json["share"] = site.time->cost.share;
    json["ratio"] = site.time->ratio;
    json["gain_ms"] = site.time->milliseconds;
    json["gain_per_loss"] = optional_json(gain_per_loss(site));
  }
  return json;
}

std::string unit(const Sensitivity& sensitivity) {
  return sensitivity.measure == "accuracy" ? " %" : "";
}

std::string value_text(const Sensitivity& sensitivity, double value) {
  return sensitivity.measure == "accuracy" ? formatted("%.2f", value) : formatted("%.4g", value);
}

std::string time_text(const SiteSensitivity& site) {
  if (!site.time) {
    return formatted("%9s %8s %10s", "-", "-", "-");
  }
  const auto per_loss = gain_per_loss(site);
  return formatted("%9.4f %6.1f %% %10s", site.time->milliseconds, 100.0 * site.time->cost.share,
                   per_loss ? formatted("%.3g", *per_loss).c_str() : "-");
}

}  // namespace

nlohmann::ordered_json to_json_object(const Sensitivity& sensitivity) {
  Json sites = Json::array();
  for (const auto i : best_first(sensitivity)) {
    sites.push_back(site_json(sensitivity.sites[i]));
  }
  return {{"measure", sensitivity.measure},
          {"original", sensitivity.original},
          {"all_swapped", sensitivity.all_swapped},
          {"sum_of_losses", sensitivity.sum_of_losses()},
          {"examples", sensitivity.examples},
          {"calibrated", sensitivity.calibrated},
          {"latency_ms", optional_json(sensitivity.latency_ms)},
          {"sites", sites}};
}

std::string sensitivity_json(const Model& model, const Sensitivity& sensitivity) {
  Json json = {{"schema", 1}, {"model", {{"path", model.path}, {"sha256", model.sha256()}}}};
  json.update(to_json_object(sensitivity));
  return json_text(json);
}

std::string sensitivity_table(const Model& model, const Sensitivity& sensitivity) {
  const auto text = [&](double value) { return value_text(sensitivity, value); };
  std::string table = model.path + ": " + sensitivity.measure + " " + text(sensitivity.original) +
                      unit(sensitivity) + " on " + counted(sensitivity.examples, "example") +
                      "; all " + counted(sensitivity.sites.size(), "site") + " " +
                      (sensitivity.calibrated ? "swapped and calibrated: " : "swapped: ") +
                      text(sensitivity.all_swapped) + unit(sensitivity) +
                      "; the losses add up to " + text(sensitivity.sum_of_losses()) + "\n";
  if (sensitivity.latency_ms) {
    table += formatted("a forward takes %.3f ms\n", *sensitivity.latency_ms);
  }
  std::size_t width = 4;
  for (const auto& site : sensitivity.sites) {
    width = std::max(width, site.id.size());
  }
  const int pad = static_cast<int>(width);
  table += formatted("%-*s  %-12s %-12s %9s %9s %9s %9s %8s %10s\n", pad, "site", "activation",
                     "becomes", "loss", "+-", "same", "gain ms", "share", "per loss");
  for (const auto i : best_first(sensitivity)) {
    const auto& site = sensitivity.sites[i];
    const auto& same = site.agreement.same_prediction;
    table +=
        formatted("%-*s  %-12s %-12s %9s %9s %9s ", pad, site.id.c_str(), site.source.c_str(),
                  site.target.c_str(), text(site.loss).c_str(), text(site.loss_half_width).c_str(),
                  same ? formatted("%.2f %%", *same).c_str() : "-") +
        time_text(site) + "\n";
  }
  return table;
}

}  // namespace actswap
