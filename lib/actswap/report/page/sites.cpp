// The sites: both functions over the inputs that the site gets, time, errors.
#include <actswap/activation/activation.h>
#include <actswap/base/error.h>
#include <actswap/report/formatted.h>
#include <actswap/report/page/chart.h>
#include <actswap/report/page/fields.h>
#include <actswap/report/page/html.h>
#include <actswap/report/page/sections.h>

#include <algorithm>
#include <cmath>

namespace actswap::page {

namespace {

constexpr std::size_t kMostDrawn = 60;
constexpr double kSiteHeight = 150.0;

// The row and its parameters; none where this version has no such function.
std::optional<ActivationSpec> source_of(const Json& site) {
  const auto& rows = activations();
  const auto row = std::ranges::find(rows, text(site, {"activation"}), &Activation::name);
  if (row == rows.end()) {
    return std::nullopt;
  }
  ActivationSpec spec{.activation = &*row, .parameters = {}};
  for (const auto& parameter : row->parameters) {
    spec.parameters.push_back(
        number(site, {"params", parameter.name}).value_or(parameter.default_value));
  }
  return spec;
}

std::optional<ActivationSpec> target_of(const Json& site) {
  const auto name = text(site, {"target"});
  if (name.empty()) {
    return std::nullopt;
  }
  try {
    return resolve(name);
  } catch (const UsageError&) {
    return std::nullopt;
  }
}

Points sampled(const ActivationSpec& spec, double low, double high) {
  constexpr int kSamples = 80;
  Points points;
  for (int i = 0; i <= kSamples; ++i) {
    const double x = low + (high - low) * i / kSamples;
    if (const double y = spec.value(x); std::isfinite(y)) {
      points.emplace_back(x, y);
    }
  }
  return points;
}

std::string bars(const std::vector<double>& counts, const Axis& x, double bottom) {
  const double most = *std::ranges::max_element(counts);
  const double width = (x.high() - x.low()) / static_cast<double>(counts.size());
  std::string path;
  for (std::size_t i = 0; i < counts.size() && most > 0.0; ++i) {
    const double left = x.at(x.low() + width * static_cast<double>(i));
    const double right = x.at(x.low() + width * static_cast<double>(i + 1));
    const double height = 100.0 * std::clamp(counts[i] / most, 0.0, 1.0);
    path += formatted("M%.1f %.1fV%.1fH%.1fV%.1fz", left, bottom, bottom - height,
                      std::max(right - 0.6, left), bottom);
  }
  return "<path class=\"bar\" d=\"" + path + "\"/>";
}

// Nothing where the run did not note what the site gets.
std::string drawing(const Json& site) {
  const auto low = number(site, {"inputs", "low"});
  const auto high = number(site, {"inputs", "high"});
  const auto counts = numbers(site, {"inputs", "counts"});
  if (!low || !high || !(*low < *high) || counts.empty()) {
    return "";
  }
  constexpr double kSiteBottom = kSiteHeight - 22.0;
  Axis x(kLeft, kRight);
  x.include(*low);
  x.include(*high);
  Axis y(kSiteBottom - 4.0, 8.0);
  std::vector<std::pair<std::string, Points>> lines;
  const std::pair<const char*, std::optional<ActivationSpec>> functions[] = {
      {"s1", source_of(site)}, {"s0", target_of(site)}};
  for (const auto& [css_class, spec] : functions) {
    if (!spec) {
      continue;
    }
    lines.emplace_back(css_class, sampled(*spec, *low, *high));
    for (const auto& point : lines.back().second) {
      y.include(point.second);
    }
  }
  y.pad(0.03);
  auto content = bars(counts, x, kSiteBottom) + y_grid(y) +
                 svg_line(kLeft, kSiteBottom, kRight, kSiteBottom, "axis") +
                 x_ticks(x, kSiteBottom);
  for (auto& [css_class, points] : lines) {
    for (auto& [at, value] : points) {
      at = x.at(at);
      value = y.at(value);
    }
    content += svg_path(points, css_class);
  }
  return svg("The functions of site " + text(site, {"id"}) + " over a histogram of its inputs",
             content, kSiteHeight);
}

std::string source_text(const Json& site) {
  const auto spec = source_of(site);
  return spec ? spec->to_string() : text(site, {"activation"});
}

std::string percent_text(const std::optional<double>& share) {
  return share ? formatted("%.1f %%", 100.0 * *share) : "";
}

std::string value_text(const std::optional<double>& value) {
  return value ? number_text(*value) : "";
}

std::string caption(const Json& site) {
  const auto target = text(site, {"target"});
  auto html = element("b", escaped(text(site, {"id"}))) + " " +
              element("span", escaped(source_text(site)), "class=\"key s1\"");
  if (!target.empty()) {
    html += " " + element("span", escaped(target), "class=\"key s0\"");
  }
  const auto share = number(site, {"share"});
  const auto before = number(site, {"error", "swap"});
  const auto after = number(site, {"error", "exported"});
  html += share ? "; " + percent_text(share) + " of the time" : "";
  html += before && after ? "; error " + number_text(*before) + " → " + number_text(*after) : "";
  return html;
}

// Of many sites those whose outputs differ most.
std::vector<const Json*> drawn(const Json& sites) {
  std::vector<const Json*> found;
  for (const auto& site : sites) {
    if (is_true(site, {"selected"}) && field(site, {"inputs"}).is_object()) {
      found.push_back(&site);
    }
  }
  if (found.size() > kMostDrawn) {
    std::ranges::sort(found, [](const Json* a, const Json* b) {
      const auto error = [](const Json* site) {
        return number(*site, {"error", "exported"}).value_or(0.0);
      };
      return error(a) != error(b) ? error(a) > error(b) : a < b;  // an array's: in its order
    });
    found.resize(kMostDrawn);
  }
  return found;
}

}  // namespace

std::string sites(const RecordedRun& run) {
  const auto& all = list(run.record, {"sites"});
  std::vector<std::string> figures;
  for (const auto* site : drawn(all)) {
    if (const auto picture = drawing(*site); !picture.empty()) {
      figures.push_back(figure(picture, caption(*site)));
    }
  }
  std::vector<Row> rows;
  for (const auto& site : all) {
    const auto target = text(site, {"target"});
    rows.push_back(
        {escaped(text(site, {"id"})), escaped(source_text(site)),
         target.empty() ? "stays" : escaped(target), percent_text(number(site, {"share"})),
         value_text(number(site, {"error", "swap"})),
         value_text(number(site, {"error", "exported"})), escaped(text(site, {"reason"}))});
  }
  const auto note =
      figures.size() == kMostDrawn
          ? element("p",
                    formatted("Drawn are the %zu sites with the largest errors; the table has "
                              "all.",
                              kMostDrawn),
                    "class=\"about\"")
          : "";
  return note + side_by_side(figures) +
         table({"site", "function", "becomes", "time", "error, swap", "error, exported", "why"},
               rows);
}

std::string layers(const RecordedRun& run) {
  std::vector<Row> rows;
  for (const auto& layer : list(run.record, {"calibration", "layers"})) {
    rows.push_back({escaped(text(layer, {"name"})), escaped(text(layer, {"fit"})),
                    value_text(number(layer, {"error_before"})),
                    value_text(number(layer, {"error_after"}))});
  }
  return table({"layer", "fit", "before", "after"}, rows);
}

}  // namespace actswap::page
