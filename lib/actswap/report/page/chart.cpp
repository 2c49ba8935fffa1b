#include <actswap/report/formatted.h>
#include <actswap/report/page/chart.h>
#include <actswap/report/page/html.h>

#include <algorithm>
#include <cmath>

namespace actswap::page {

namespace {

constexpr double kTop = 10.0;
constexpr double kBottom = kHeight - 34.0;
constexpr std::size_t kMostPoints = 300;
constexpr std::size_t kFewPoints = 30;  // of which each has a dot

// Means of neighbours.
Points thinned(const Points& points) {
  if (points.size() <= kMostPoints) {
    return points;
  }
  Points means;
  for (std::size_t i = 0; i < kMostPoints; ++i) {
    const auto begin = i * points.size() / kMostPoints;
    const auto end = (i + 1) * points.size() / kMostPoints;
    const auto count = static_cast<double>(end - begin);
    double x = 0.0;
    double y = 0.0;
    for (auto k = begin; k < end; ++k) {
      x += points[k].first / count;
      y += points[k].second / count;
    }
    means.emplace_back(x, y);
  }
  return means;
}

std::string dots(const Points& pixels, const std::string& css_class) {
  std::string text;
  for (const auto& [x, y] : pixels) {
    text += formatted("<circle class=\"%s\" cx=\"%.1f\" cy=\"%.1f\" r=\"3\"/>", css_class.c_str(),
                      x, y);
  }
  return text;
}

}  // namespace

std::string svg(const std::string& label, const std::string& content, double height) {
  return formatted("<svg viewBox=\"0 0 %.0f %.0f\" role=\"img\" aria-label=\"", kWidth, height) +
         escaped(label) + "\">" + content + "</svg>";
}

std::string svg_text(double x, double y, const std::string& text, const std::string& anchor,
                     const std::string& css_class) {
  return formatted("<text class=\"%s\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">",
                   css_class.c_str(), x, y, anchor.c_str()) +
         escaped(text) + "</text>";
}

std::string svg_line(double x1, double y1, double x2, double y2, const std::string& css_class) {
  return formatted("<line class=\"%s\" x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\"/>",
                   css_class.c_str(), x1, y1, x2, y2);
}

std::string svg_path(const Points& pixels, const std::string& css_class) {
  std::string path;
  for (const auto& [x, y] : pixels) {
    path += formatted(path.empty() ? "M%.1f %.1f" : "L%.1f %.1f", x, y);
  }
  return "<path class=\"line " + css_class + "\" d=\"" + path + "\"/>";
}

std::string y_grid(const Axis& y) {
  std::string text;
  for (const double tick : y.ticks()) {
    text += svg_line(kLeft, y.at(tick), kRight, y.at(tick), "grid") +
            svg_text(kLeft - 5.0, y.at(tick) + 4.0, number_text(tick), "end");
  }
  return text;
}

std::string x_ticks(const Axis& x, double bottom) {
  std::string text;
  for (const double tick : x.ticks()) {
    text += svg_line(x.at(tick), bottom, x.at(tick), bottom + 4.0, "axis") +
            svg_text(x.at(tick), bottom + 15.0, number_text(tick), "middle");
  }
  return text;
}

std::string legend(const std::vector<std::string>& names) {
  std::string html;
  for (std::size_t i = 0; i < names.size(); ++i) {
    html += element("span", escaped(names[i]), formatted("class=\"key s%zu\"", i)) + " ";
  }
  return html;
}

std::string line_chart(const std::string& title, const std::string& x_title,
                       std::vector<Series> series, bool y_logarithmic) {
  Axis x(kLeft, kRight);
  Axis y(kBottom, kTop);
  std::erase_if(series, [](const Series& each) { return each.points.empty(); });
  for (auto& each : series) {
    each.points = thinned(each.points);
    for (const auto& [at, value] : each.points) {
      x.include(at);
      y.include(value);
    }
  }
  if (series.empty()) {
    return "";
  }
  if (y_logarithmic && y.low() > 0.0 && y.high() >= 10.0 * y.low()) {
    y.make_logarithmic();
  } else {
    y.pad(0.06);
  }
  std::string content = y_grid(y) + svg_line(kLeft, kBottom, kRight, kBottom, "axis") +
                        x_ticks(x, kBottom) + svg_text(kRight, kHeight - 4.0, x_title, "end");
  std::vector<std::string> names;
  for (std::size_t i = 0; i < series.size(); ++i) {
    Points pixels;
    for (const auto& [at, value] : series[i].points) {
      pixels.emplace_back(x.at(at), y.at(value));
    }
    const auto css_class = formatted("s%zu", i);
    content += svg_path(pixels, css_class);
    content += pixels.size() <= kFewPoints ? dots(pixels, css_class) : "";
    names.push_back(series[i].name);
  }
  return figure(svg(title, content),
                element("b", escaped(title)) + (names.size() > 1 ? " " + legend(names) : ""));
}

}  // namespace actswap::page
