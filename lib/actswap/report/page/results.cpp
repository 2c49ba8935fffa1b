// The verdict, the metric from step to step, the classes, and runs side by side.
#include <actswap/report/formatted.h>
#include <actswap/report/page/chart.h>
#include <actswap/report/page/fields.h>
#include <actswap/report/page/html.h>
#include <actswap/report/page/sections.h>
#include <actswap/report/page/steps.h>

#include <algorithm>
#include <array>
#include <cmath>

namespace actswap::page {

namespace {

bool is_percent(const Json& record) {
  return text(record, {"metric"}) == "accuracy";
}

std::string metric_text(const Json& record, double value) {
  return is_percent(record) ? formatted("%.2f %%", value) : number_text(value);
}

std::string signed_text(const Json& record, double difference) {
  const auto size = is_percent(record) ? formatted("%.2f", std::abs(difference))
                                       : number_text(std::abs(difference));
  return (difference < 0.0 ? "−" : "+") + size;
}

std::string interval_text(const Json& record, const Json& interval) {
  const auto difference = number(interval, {"difference"});
  const auto half_width = number(interval, {"half_width"});
  if (!difference) {
    return "";
  }
  return signed_text(record, *difference) +
         (half_width ? " ± " + (is_percent(record) ? formatted("%.2f", *half_width)
                                                   : number_text(*half_width))
                     : "");
}

// "no difference from the original's 91.21 % is seen (+0.02 ± 0.25 points, ...)"
std::string compared(const Json& record, std::string_view reference, const std::string& value) {
  const auto& over_seeds = field(record, {"comparisons", reference, "seeds"});
  const bool are_seeds = over_seeds.is_object();
  const auto& interval =
      are_seeds ? over_seeds : field(record, {"comparisons", reference, "examples"});
  const auto difference = number(interval, {"difference"});
  if (!difference) {
    return "";
  }
  const auto count = number(interval, {"count"}).value_or(0.0);
  const auto figures = interval_text(record, interval) + (is_percent(record) ? " points" : "") +
                       ", 95 % interval, paired over " + formatted("%.0f", count) +
                       (are_seeds ? " seeds" : " examples");
  const auto whose = "the " + std::string(reference) + "’s" + (value.empty() ? "" : " " + value);
  if (!is_true(interval, {"distinct"})) {
    return "no difference from " + whose + " is seen (" + figures + ")";
  }
  const bool is_better = (*difference > 0.0) == is_percent(record);
  return std::string(is_better ? "better" : "worse") + " than " + whose + " (" + figures + ")";
}

std::string about_the_metric(const Json& record) {
  const auto value = number(record, {"retargeted"});
  if (!value) {
    return "";
  }
  const auto of = [&](std::string_view key) {
    const auto found = number(record, {key});
    return found ? metric_text(record, *found) : "";
  };
  auto sentence = text(record, {"metric"}) + " is " + metric_text(record, *value);
  for (const std::string_view reference : {"original", "control"}) {
    const auto against = compared(record, reference, of(reference));
    sentence += against.empty() ? "" : ", " + against;
  }
  return sentence;
}

std::string about_agreement(const Json& record) {
  const auto& agreement = field(record, {"agreement", "retargeted"});
  if (const auto same = number(agreement, {"same_prediction"})) {
    return formatted("it predicts what the original does for %.2f %% of the examples", *same);
  }
  if (const auto error = number(agreement, {"relative_error"})) {
    return "the relative error of its outputs against the original’s is " + number_text(*error);
  }
  return "";
}

std::string about_latency(const Json& record) {
  const auto& exported = field(record, {"latency", "exported"});
  const auto ratio = number(exported, {"ratio_to_first"});
  const auto interval = numbers(exported, {"ratio_interval"});
  if (!ratio || interval.size() != 2) {
    return "";
  }
  const auto span = formatted("%.2f to %.2f", interval[0], interval[1]);
  if (const auto doubt = text(exported, {"doubt"}); !doubt.empty()) {
    return "its latency is uncertain (" + doubt + ")";
  }
  if (interval[0] <= 1.0 && 1.0 <= interval[1]) {
    return "no difference in latency is seen (" + span + " of the original’s)";
  }
  return formatted("a forward takes %.2f times as long as the original’s (", *ratio) + span + ")";
}

std::string metric_at(const Json& record, std::string_view key) {
  const auto value = number(record, {key});
  return value ? metric_text(record, *value) : "";
}

std::string swapped_text(const Json& record) {
  const auto swapped = number(record, {"sites_swapped"});
  const auto all = list(record, {"sites"}).size();
  return swapped ? formatted("%.0f of %zu", *swapped, all) : "";
}

// Where the run stands; empty for one that is done, and for records that do not say it.
std::string standing(const Json& record) {
  const auto status = text(record, {"status"});
  const auto reason = text(record, {"status_reason"});
  const auto because = reason.empty() ? std::string() : ": " + reason;
  constexpr auto kFigures = " (the figures cover only what it has done)";
  return status == "running"       ? std::string("This run is not done") + kFigures
         : status == "interrupted" ? "This run was interrupted" + because + kFigures
         : status == "failed"      ? "This run failed" + because
                                   : "";
}

std::string staircase_drawing(const Json& record, const std::vector<MeasuredStep>& steps) {
  constexpr double kStepsBottom = kHeight - 34.0;
  constexpr std::size_t kFew = 5;  // whose names stand side by side
  Axis y(kStepsBottom - 8.0, 26.0);
  for (const auto& step : steps) {
    y.include(step.value);
  }
  y.pad(0.12);
  const double width = (kRight - kLeft) / static_cast<double>(steps.size());
  auto content = y_grid(y) + svg_line(kLeft, kStepsBottom, kRight, kStepsBottom, "axis");
  Points stair;
  std::string values;
  for (std::size_t i = 0; i < steps.size(); ++i) {
    const double left = kLeft + static_cast<double>(i) * width;
    const double at = y.at(steps[i].value);
    const double middle = left + 0.5 * width;
    // The control is no step on the way.
    if (steps[i].name == "control") {
      content += svg_line(left, at, left + width, at, "line s1 middle");
    } else {
      stair.insert(stair.end(), {{left, at}, {left + width, at}});
    }
    const bool is_lower = steps.size() > kFew && i % 2 == 1;
    values += svg_text(middle, at - 6.0,
                       is_percent(record) ? formatted("%.2f", steps[i].value)
                                          : number_text(steps[i].value),
                       "middle", "value") +
              svg_text(middle, kStepsBottom + (is_lower ? 29.0 : 15.0), steps[i].title, "middle");
  }
  return svg("The metric after each step", content + svg_path(stair, "s0") + values);
}

struct ClassChange {
  double change = 0.0;
  std::size_t index = 0;
  auto operator<=>(const ClassChange&) const = default;
};

// The class that fell most comes first.
std::vector<ClassChange> changes_of(const std::vector<std::optional<double>>& before,
                                    const std::vector<std::optional<double>>& after) {
  std::vector<ClassChange> found;
  for (std::size_t i = 0; i < std::min(before.size(), after.size()); ++i) {
    if (before[i] && after[i] && std::isfinite(*after[i] - *before[i])) {
      found.push_back({*after[i] - *before[i], i});
    }
  }
  std::ranges::sort(found);
  return found;
}

std::vector<std::optional<double>> per_class(const Json& record, std::string_view key) {
  std::vector<std::optional<double>> values;
  for (const auto& value : list(record, {"evaluations", key, "per_class"})) {
    values.push_back(number(value));
  }
  return values;
}

std::string warnings_of(const Json& record) {
  std::string html;
  for (const auto& warning : list(record, {"warnings"})) {
    if (const auto sentence = text(warning); !sentence.empty()) {
      html += element("p", "Warning: " + escaped(sentence) + ".", "class=\"warning\"") + "\n";
    }
  }
  return html;
}

}  // namespace

std::string name_of(const RecordedRun& run) {
  const auto output = text(run.record, {"output"});
  const auto name = output.substr(output.find_last_of('/') + 1);
  return name.empty() ? run.folder : name;
}

std::string verdict(const RecordedRun& run) {
  const auto& record = run.record;
  std::string sentence = swapped_text(record).empty()
                             ? "What was swapped is not recorded"
                             : swapped_text(record) + " activations were swapped";
  std::vector<std::string> parts = {about_the_metric(record)};
  if (parts.front().empty()) {
    parts.front() = about_agreement(record);
  }
  parts.push_back(about_latency(record));
  for (const auto& part : parts) {
    sentence += part.empty() ? "" : "; " + part;
  }
  const auto html =
      element("p", escaped(sentence) + ".", "class=\"verdict\"") + "\n" + warnings_of(record);
  if (const auto stands = standing(record); !stands.empty()) {
    return element("p", escaped(stands) + ".", "class=\"warning\"") + "\n" + html;
  }
  if (is_true(record, {"verified"})) {
    return html +
           "<p>The exported file was verified: it gives the outputs of the model that was "
           "measured.</p>\n";
  }
  const auto reason = text(record, {"reason"});
  return html +
         element("p",
                 "The exported file is not verified" +
                     (reason.empty() ? "" : ": " + escaped(reason)) + ".",
                 "class=\"warning\"") +
         "\n";
}

std::string staircase(const RecordedRun& run) {
  const auto& record = run.record;
  const auto steps = measured_steps(record);
  if (steps.size() < 2) {
    return "";
  }
  const auto original = number(record, {"original"});
  std::vector<Row> rows;
  rows.reserve(steps.size());
  for (const auto& step : steps) {
    rows.push_back(
        {step.title, metric_text(record, step.value),
         original && step.name != "original" ? signed_text(record, step.value - *original) : "",
         step.mean_loss ? number_text(*step.mean_loss) : "", step.about});
  }
  const auto metric = escaped(text(record, {"metric"}));
  return figure(staircase_drawing(record, steps), element("b", metric)) +
         table({"", metric, "change", "mean loss", ""}, rows, Wraps::last_column);
}

std::string classes(const RecordedRun& run) {
  constexpr std::size_t kMost = 40;
  const auto before = per_class(run.record, "original");
  const auto after = per_class(run.record, "retargeted");
  const auto changes = changes_of(before, after);
  if (changes.empty()) {
    return "";
  }
  double largest = 1e-9;
  for (const auto& [change, index] : changes) {
    largest = std::max(largest, std::abs(change));
  }
  const bool is_long = changes.size() > kMost;
  std::vector<Row> rows;
  for (std::size_t i = 0; i < changes.size(); ++i) {
    if (is_long && i >= kMost / 2 && i < changes.size() - kMost / 2) {
      continue;
    }
    const auto& [change, index] = changes[i];
    const double length = 60.0 * std::abs(change) / largest;
    const auto bar = formatted(
        "<svg viewBox=\"0 0 124 12\" style=\"width:7.75rem\" aria-hidden=\"true\"><rect "
        "class=\"%s\" "
        "x=\"%.1f\" y=\"2\" width=\"%.1f\" height=\"8\"/><line class=\"axis\" x1=\"62\" y1=\"0\" "
        "x2=\"62\" y2=\"12\"/></svg>",
        change < 0.0 ? "s1" : "s0", change < 0.0 ? 62.0 - length : 62.0, length);
    rows.push_back({std::to_string(index), formatted("%.2f %%", *before[index]),
                    formatted("%.2f %%", *after[index]), signed_text(run.record, change), bar});
  }
  const auto note = is_long ? element("p",
                                      formatted("The %zu classes that fell most and the %zu that "
                                                "rose most of %zu.",
                                                kMost / 2, kMost / 2, changes.size()),
                                      "class=\"about\"")
                            : "";
  return note + table({"class", "original", "exported", "change", ""}, rows);
}

std::string comparison(const std::vector<RecordedRun>& runs) {
  struct Figure {
    std::string title;
    std::string (*of)(const Json& record);
  };
  const std::array figures = {
      Figure{"model", [](const Json& record) { return escaped(text(record, {"model", "path"})); }},
      Figure{"recipe", [](const Json& record) { return escaped(text(record, {"recipe"})); }},
      Figure{"sites swapped", swapped_text},
      Figure{"metric", [](const Json& record) { return escaped(text(record, {"metric"})); }},
      Figure{"original", [](const Json& record) { return metric_at(record, "original"); }},
      Figure{"swap", [](const Json& record) { return metric_at(record, "swap_alone"); }},
      Figure{"calibration", [](const Json& record) { return metric_at(record, "calibrated"); }},
      Figure{"pruning",
             [](const Json& record) {
               const auto value = number(record, {"pruning", "after_pruning", "value"});
               return value ? metric_text(record, *value) : "";
             }},
      Figure{"exported", [](const Json& record) { return metric_at(record, "retargeted"); }},
      Figure{"control", [](const Json& record) { return metric_at(record, "control"); }},
      Figure{"exported − original",
             [](const Json& record) {
               return interval_text(record, field(record, {"comparisons", "original", "examples"}));
             }},
      Figure{"same prediction",
             [](const Json& record) {
               const auto same = number(record, {"agreement", "retargeted", "same_prediction"});
               return same ? formatted("%.2f %%", *same) : "";
             }},
      Figure{"time of a forward, of the original’s",
             [](const Json& record) {
               const auto ratio = number(record, {"latency", "exported", "ratio_to_first"});
               const auto interval = numbers(record, {"latency", "exported", "ratio_interval"});
               const auto doubt = text(record, {"latency", "exported", "doubt"});
               return !ratio || interval.size() != 2
                          ? std::string()
                          : formatted("%.2f (%.2f to %.2f)", *ratio, interval[0], interval[1]) +
                                (doubt.empty() ? "" : ", doubtful: " + escaped(doubt));
             }},
      Figure{"verified",
             [](const Json& record) {
               return std::string(is_true(record, {"verified"}) ? "yes" : "no");
             }},
      Figure{"seconds",
             [](const Json& record) {
               const auto seconds = number(record, {"seconds"});
               return seconds ? formatted("%.0f", *seconds) : "";
             }},
  };
  Row head = {""};
  for (const auto& run : runs) {
    head.push_back(escaped(name_of(run)));
  }
  std::vector<Row> rows;
  for (const auto& [title, of] : figures) {
    Row row = {title};
    for (const auto& run : runs) {
      row.push_back(of(run.record));
    }
    if (std::any_of(row.begin() + 1, row.end(), [](const auto& cell) { return !cell.empty(); })) {
      rows.push_back(row);
    }
  }
  return table(head, rows, Wraps::all);
}

}  // namespace actswap::page
