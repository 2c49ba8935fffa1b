// Charts as SVG. They take their colours from the page's style, so that they follow light and dark.
#pragma once

#include <actswap/report/page/axis.h>

#include <string>
#include <utility>
#include <vector>

namespace actswap::page {

using Points = std::vector<std::pair<double, double>>;

struct Series {
  std::string name;
  Points points;  ///< finite, by rising x
};

/// Width and height of all charts, in pixels as CSS has them; they shrink with the page.
constexpr double kWidth = 340.0;
constexpr double kHeight = 190.0;
/// Where the x axis begins and ends.
constexpr double kLeft = 54.0;
constexpr double kRight = kWidth - 10.0;

/// A drawing of that size that says in words what it shows.
std::string svg(const std::string& label, const std::string& content, double height = kHeight);
/// Text in a drawing. @param anchor "start", "middle" or "end"
std::string svg_text(double x, double y, const std::string& text, const std::string& anchor,
                     const std::string& css_class = "tick");
std::string svg_line(double x1, double y1, double x2, double y2, const std::string& css_class);
/// Lines from point to point.
std::string svg_path(const Points& pixels, const std::string& css_class);

/// The y axis at the left, with a line across for each tick.
std::string y_grid(const Axis& y);
/// The ticks of the x axis.
std::string x_ticks(const Axis& x, double bottom);

/// Lines, or dots where a series has few points. More than some hundred points become means of
/// neighbours. Several series have a legend. Empty where no series has points.
/// @param y_logarithmic where all values are above 0 and span a decade or more
std::string line_chart(const std::string& title, const std::string& x_title,
                       std::vector<Series> series, bool y_logarithmic = false);

/// Name after name, each behind its colour.
std::string legend(const std::vector<std::string>& names);

}  // namespace actswap::page
