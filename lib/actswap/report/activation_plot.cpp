#include <actswap/report/activation_plot.h>
#include <actswap/report/formatted.h>
#include <actswap/report/page/html.h>

#include <algorithm>
#include <cmath>
#include <functional>

namespace actswap {

namespace {

constexpr double kLeft = -5.0;
constexpr double kRight = 5.0;
constexpr double kBottom = -2.0;
constexpr double kTop = 5.0;
constexpr double kUnit = 22.0;  // pixels
constexpr int kWidth = 260;     // of a panel
constexpr int kHeight = 214;
constexpr int kColumns = 4;
constexpr int kHead = 34;        // of the picture
constexpr double kAxisX = 20.0;  // where the axes begin in a panel
constexpr double kAxisY = 28.0;

constexpr char kStyle[] =
    "<style>\n"
    "svg { background: #ffffff; font: 13px system-ui, sans-serif; }\n"
    "text { fill: #1f2328; } .small { font-size: 11px; fill: #59636e; }\n"
    ".grid { stroke: #e3e7eb; } .axis { stroke: #8c959f; }\n"
    ".value { stroke: #0b5cad; stroke-width: 2; fill: none; }\n"
    ".slope { stroke: #b3460b; stroke-width: 1.5; fill: none; stroke-dasharray: 5 3; }\n"
    "@media (prefers-color-scheme: dark) {\n"
    "svg { background: #0d1117; } text { fill: #e6edf3; } .small { fill: #9198a1; }\n"
    ".grid { stroke: #22272e; } .axis { stroke: #6e7681; }\n"
    ".value { stroke: #6cb6ff; } .slope { stroke: #f69d50; }\n"
    "}\n"
    "</style>\n";

constexpr char kLegend[] =
    "<line class=\"value\" x1=\"20\" y1=\"18\" x2=\"44\" y2=\"18\"/>"
    "<text x=\"50\" y=\"22\">f(x)</text>"
    "<line class=\"slope\" x1=\"96\" y1=\"18\" x2=\"120\" y2=\"18\"/>"
    "<text x=\"126\" y=\"22\">derivative</text>\n";

double x_of(double x) {
  return kAxisX + (x - kLeft) * kUnit;
}

double y_of(double y) {
  return kAxisY + (kTop - y) * kUnit;
}

std::string line(const char* kind, double x1, double y1, double x2, double y2) {
  return formatted("<line class=\"%s\" x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\"/>\n", kind,
                   x_of(x1), y_of(y1), x_of(x2), y_of(y2));
}

std::string label(double x, double y, const char* anchor, const std::string& text) {
  return formatted("<text class=\"small\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">", x, y,
                   anchor) +
         text + "</text>\n";
}

std::string axes() {
  std::string text;
  for (int x = static_cast<int>(kLeft); x <= static_cast<int>(kRight); ++x) {
    text += line(x == 0 ? "axis" : "grid", x, kBottom, x, kTop);
  }
  for (int y = static_cast<int>(kBottom); y <= static_cast<int>(kTop); ++y) {
    text += line(y == 0 ? "axis" : "grid", kLeft, y, kRight, y);
  }
  for (const int x : {-4, -2, 2, 4}) {
    text += label(x_of(x), y_of(kBottom) + 14.0, "middle", std::to_string(x));
  }
  for (const int y : {-2, 0, 2, 4}) {
    text += label(kAxisX - 5.0, y_of(y) + 4.0, "end", std::to_string(y));
  }
  return text;
}

// Pieces between the places where it jumps, and within the panel.
std::string curve(const char* kind, const std::function<double(double)>& function,
                  const std::vector<double>& jumps) {
  constexpr int kSteps = 200;
  std::string path;
  bool draws = false;
  double before = kLeft;
  for (int i = 0; i <= kSteps; ++i) {
    const double x = kLeft + (kRight - kLeft) * i / kSteps;
    const double y = function(x);
    // The derivative in a kink is the one from the left.
    const bool jumped = std::ranges::any_of(
        jumps, [&](double jump) { return before <= jump && jump < x && i > 0; });
    const bool is_inside = std::isfinite(y) && y >= kBottom && y <= kTop;
    if (is_inside) {
      path += formatted("%s%.1f %.1f", draws && !jumped ? " L" : " M", x_of(x), y_of(y));
    }
    draws = is_inside;
    before = x;
  }
  return "<path class=\"" + std::string(kind) + "\" d=\"" + (path.empty() ? path : path.substr(1)) +
         "\"/>\n";
}

std::string panel(const ActivationSpec& spec, std::size_t index) {
  const auto column = static_cast<int>(index % kColumns);
  const auto row = static_cast<int>(index / kColumns);
  return formatted("<g transform=\"translate(%d %d)\">\n", column * kWidth, kHead + row * kHeight) +
         "<title>" + page::escaped(spec.activation->formula) + "</title>\n" +
         formatted("<text x=\"%.1f\" y=\"18\">", kAxisX) + page::escaped(spec.to_string()) +
         "</text>\n" + axes() +
         curve(
             "slope", [&](double x) { return spec.derivative(x); }, spec.kinks()) +
         curve("value", [&](double x) { return spec.value(x); }, {}) + "</g>\n";
}

}  // namespace

std::string activation_plot(const std::vector<ActivationSpec>& activations) {
  const auto count = static_cast<int>(activations.size());
  const int columns = std::clamp(count, 1, kColumns);
  const int width = columns * kWidth;
  const int height = kHead + (count + kColumns - 1) / kColumns * kHeight;
  auto text = formatted(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" viewBox=\"0 0 %d %d\" "
      "role=\"img\">\n",
      width, height, width, height);
  text +=
      "<title>Activation functions and their derivatives</title>\n" + std::string(kStyle) + kLegend;
  for (std::size_t i = 0; i < activations.size(); ++i) {
    text += panel(activations[i], i);
  }
  return text + "</svg>\n";
}

}  // namespace actswap
