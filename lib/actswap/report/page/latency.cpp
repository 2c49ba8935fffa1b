// Latency as distributions, with what else the machine did.
#include <actswap/report/formatted.h>
#include <actswap/report/page/chart.h>
#include <actswap/report/page/fields.h>
#include <actswap/report/page/html.h>
#include <actswap/report/page/sections.h>

#include <algorithm>

namespace actswap::page {

namespace {

struct Timed {
  std::string name;
  double median = 0.0;
  std::vector<double> interval = {};
  std::vector<double> runs = {};
};

std::vector<Timed> timed(const Json& record) {
  std::vector<Timed> found;
  for (const std::string_view key : {"original", "exported"}) {
    const auto& latency = field(record, {"latency", key});
    if (const auto median = number(latency, {"median_ms"})) {
      found.push_back({std::string(key), *median, numbers(latency, {"interval_ms"}),
                       numbers(latency, {"runs_ms"})});
      if (found.back().interval.size() != 2) {
        found.back().interval = {*median, *median};
      }
    }
  }
  return found;
}

std::string drawing(const std::vector<Timed>& models) {
  constexpr double kRow = 44.0;
  const double height = kRow * static_cast<double>(models.size()) + 40.0;
  const double bottom = height - 34.0;
  Axis x(64.0, kWidth - 12.0);
  for (const auto& model : models) {
    x.include(model.interval.front());
    x.include(model.interval.back());
    x.include(model.median);
    for (const double run : model.runs) {
      x.include(run);
    }
  }
  x.pad(0.05);
  auto content = svg_line(64.0, bottom, kWidth - 12.0, bottom, "axis") + x_ticks(x, bottom) +
                 svg_text(kWidth - 12.0, height - 3.0, "ms", "end");
  for (std::size_t i = 0; i < models.size(); ++i) {
    const auto& model = models[i];
    const double middle = kRow * (static_cast<double>(i) + 0.5) + 4.0;
    const auto colour = i == 0 ? std::string("s1") : std::string("s0");
    content += svg_text(58.0, middle + 4.0, model.name, "end", "value");
    content += svg_line(x.at(model.interval[0]), middle, x.at(model.interval[1]), middle,
                        "span " + colour);
    for (const double run : model.runs) {
      content += svg_line(x.at(run), middle - 12.0, x.at(run), middle + 12.0, "run " + colour);
    }
    content += svg_line(x.at(model.median), middle - 16.0, x.at(model.median), middle + 16.0,
                        "middle " + colour);
  }
  return svg("Every timed run of both models", content, height);
}

std::string machine_text(const Json& record) {
  const auto& machine = field(record, {"machine"});
  auto sentence = escaped(text(machine, {"processor"}));
  if (const auto processors = number(machine, {"processors"})) {
    sentence += formatted("%s%.0f processors", sentence.empty() ? "" : ", ", *processors);
  }
  if (const auto threads = number(machine, {"threads"})) {
    sentence +=
        formatted("; LibTorch ran %.0f %s", *threads, *threads == 1.0 ? "thread" : "threads");
  }
  return sentence;
}

}  // namespace

std::string latency(const RecordedRun& run) {
  const auto models = timed(run.record);
  if (models.size() < 2) {
    return "";
  }
  std::vector<Row> rows;
  for (const auto& model : models) {
    const auto& latency = field(run.record, {"latency", model.name});
    const auto ratio = number(latency, {"ratio_to_first"}).value_or(1.0);
    const auto minimum = number(latency, {"minimum_ms"});
    rows.push_back({model.name, formatted("%.3f ms", model.median),
                    formatted("%.3f to %.3f", model.interval[0], model.interval[1]),
                    minimum ? formatted("%.3f ms", *minimum) : "",
                    model.name == "original" ? "" : formatted("%.2f", ratio)});
  }
  std::vector<std::pair<std::string, std::string>> conditions;
  const auto add = [&](const std::string& term, const std::string& what) {
    if (!what.empty()) {
      conditions.emplace_back(term, what);
    }
  };
  const auto& exported = field(run.record, {"latency", "exported"});
  add("machine", machine_text(run.record));
  if (const auto load = number(run.record, {"machine", "load"})) {
    add("load", formatted("%.2f processes ran or waited on average in the minute before the timing "
                          "ended",
                          *load));
  }
  if (const auto share = number(exported, {"processor_share"})) {
    add("processor", formatted("the timed runs had one for %.0f %% of the time", 100.0 * *share));
  }
  add("doubt", escaped(text(exported, {"doubt"})));
  return figure(drawing(models), element("b", "Time of a forward")) +
         table({"", "median", "95 % interval", "minimum", "of the original’s"}, rows) +
         description_list(conditions);
}

}  // namespace actswap::page
