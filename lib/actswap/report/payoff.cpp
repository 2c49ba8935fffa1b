#include <actswap/base/json_text.h>
#include <actswap/report/formatted.h>
#include <actswap/report/latency.h>
#include <actswap/report/payoff.h>

#include <nlohmann/json.hpp>

#include <algorithm>

namespace actswap {

namespace {

std::string times_text(const Latency& latency) {
  return formatted("%.3f ms (%.3f to %.3f)", latency.median_ms, latency.interval_ms.low,
                   latency.interval_ms.high);
}

std::string line(const Payoff& payoff) {
  const auto setting = to_string(payoff.setting);
  if (!payoff.failure.empty()) {
    return formatted("%-10s ", setting.c_str()) + "not measured: " + payoff.failure + "\n";
  }
  return formatted("%-10s %-28s %-28s %-7s %s\n", setting.c_str(),
                   times_text(payoff.original).c_str(), times_text(payoff.swapped).c_str(),
                   formatted("%.2f", payoff.swapped.ratio_to_first).c_str(),
                   to_string(payoff.verdict).c_str());
}

std::string settings_with(const std::vector<Payoff>& payoffs, Verdict verdict) {
  std::string names;
  for (const auto& payoff : payoffs) {
    if (payoff.failure.empty() && payoff.verdict == verdict) {
      names += (names.empty() ? "" : ", ") + to_string(payoff.setting);
    }
  }
  return names;
}

// The doubts of all settings, each once.
std::string doubts(const std::vector<Payoff>& payoffs) {
  std::string text;
  for (const auto& payoff : payoffs) {
    if (payoff.verdict == Verdict::doubtful && payoff.failure.empty()) {
      text += to_string(payoff.setting) + " cannot be trusted: " + payoff.swapped.doubt + "\n";
    }
  }
  return text;
}

}  // namespace

std::string payoff_json(const Model& model, const Plan& plan, const std::vector<Payoff>& payoffs) {
  auto results = nlohmann::ordered_json::array();
  for (const auto& payoff : payoffs) {
    nlohmann::ordered_json row = {{"setting", to_string(payoff.setting)}};
    if (payoff.failure.empty()) {
      row["pays"] = to_string(payoff.verdict);
      row["original"] = to_json_object(payoff.original);
      row["swapped"] = to_json_object(payoff.swapped);
    } else {
      row["failure"] = payoff.failure;
    }
    results.push_back(row);
  }
  const nlohmann::ordered_json json = {
      {"schema", 1},
      {"model", {{"path", model.path}, {"sha256", model.sha256()}}},
      {"sites_swapped", plan.swapped()},
      {"results", results}};
  return json_text(json);
}

std::string payoff_table(const Plan& plan, const std::vector<Payoff>& payoffs) {
  auto text =
      std::to_string(plan.swapped()) + " of " + std::to_string(plan.sites.size()) +
      " sites swapped, not trained\n" +
      formatted("%-10s %-28s %-28s %-7s %s\n", "setting", "original", "swapped", "ratio", "pays");
  for (const auto& payoff : payoffs) {
    text += line(payoff);
  }
  text += doubts(payoffs);
  const auto yes = settings_with(payoffs, Verdict::yes);
  const auto no = settings_with(payoffs, Verdict::no);
  const auto equal = settings_with(payoffs, Verdict::not_told_apart);
  text += yes.empty() ? "" : "The swap saves time: " + yes + ".\n";
  text += no.empty() ? "" : "The swap costs time: " + no + ".\n";
  text += equal.empty() ? "" : "No difference is seen: " + equal + "; more --rounds may tell.\n";
  return text;
}

}  // namespace actswap
