#include <actswap/report/formatted.h>
#include <actswap/report/partial_swap.h>
#include <actswap/report/partial_swap_json.h>

namespace actswap {

namespace {

using Json = nlohmann::ordered_json;

std::string saved_text(const PartialSwap& partial, const PartialPoint& point) {
  if (!point.saved_ms || !partial.latency_ms) {
    return "-";
  }
  return formatted("%.3f ms, %.1f %%", *point.saved_ms,
                   100.0 * *point.saved_ms / *partial.latency_ms);
}

}  // namespace

std::string wish_in_words(const PartialSwap& partial) {
  return "a " + partial.measure + " of " + formatted("%.6g", partial.wish) +
         (partial.higher_is_better ? " or more" : " or less");
}

std::string partial_swap_table(const PartialSwap& partial) {
  auto text = formatted("%-12s %-22s %s\n", "sites kept", partial.measure.c_str(), "time saved");
  for (const auto& point : partial.points) {
    const bool is_chosen = partial.kept == point.kept;
    text += formatted("%-12zu %-22.5g %s%s\n", point.kept, point.value,
                      saved_text(partial, point).c_str(), is_chosen ? "  <- chosen" : "");
  }
  return text;
}

Json to_json_object(const PartialSwap& partial) {
  Json points = Json::array();
  for (const auto& point : partial.points) {
    points.push_back({{"kept", point.kept},
                      {"value", point.value},
                      {"meets", point.meets},
                      {"saved_ms", optional_json(point.saved_ms)},
                      {"seconds", point.seconds}});
  }
  return {{"measure", partial.measure},
          {"wish", partial.wish},
          {"higher_is_better", partial.higher_is_better},
          {"examples", partial.examples},
          {"inputs", partial.inputs},
          {"sites", partial.sites},
          {"latency_ms", optional_json(partial.latency_ms)},
          {"order", partial.order},
          {"points", points},
          {"kept", partial.kept ? Json(*partial.kept) : Json()}};
}

}  // namespace actswap
