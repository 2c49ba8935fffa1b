#include <actswap/report/activation_plot.h>

#include <gtest/gtest.h>

#include <regex>

namespace actswap {
namespace {

std::size_t count(const std::string& text, const std::string& part) {
  std::size_t found = 0;
  for (auto at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) {
    ++found;
  }
  return found;
}

// The points of the curve of this kind, in the panel's pixels: 22 to the unit, 0 at (130, 138).
std::vector<std::pair<double, double>> points(const std::string& svg, const std::string& kind) {
  const auto begin = svg.find("<path class=\"" + kind + "\" d=\"");
  const auto path = svg.substr(begin, svg.find("/>", begin) - begin);
  const std::regex point("[ML]([-0-9.]+) ([-0-9.]+)");
  std::vector<std::pair<double, double>> all;
  for (std::sregex_iterator found(path.begin(), path.end(), point), end; found != end; ++found) {
    all.emplace_back((std::stod((*found)[1]) - 130.0) / 22.0,
                     (138.0 - std::stod((*found)[2])) / 22.0);
  }
  return all;
}

TEST(ActivationPlot, DrawsValueAndDerivative) {
  const auto spec = resolve("mish");
  const auto svg = activation_plot({spec});
  const double half_of_a_digit = 0.05 / 22.0 + 1e-9;
  ASSERT_EQ(points(svg, "value").size(), 201U);
  for (const auto& [x, y] : points(svg, "value")) {
    EXPECT_NEAR(y, spec.value(x), 2.0 * half_of_a_digit) << x;
  }
  for (const auto& [x, y] : points(svg, "slope")) {
    EXPECT_NEAR(y, spec.derivative(x), 2.0 * half_of_a_digit) << x;
  }
}

// Where the derivative jumps the line is broken; what leaves the panel is not drawn.
TEST(ActivationPlot, BreaksAtKinks) {
  const auto svg = activation_plot({resolve("hardtanh")});
  EXPECT_EQ(count(svg.substr(svg.find("class=\"slope\" d=")), " M"), 2U);
  for (const auto& [x, y] : points(activation_plot({resolve("logsigmoid")}), "value")) {
    EXPECT_GE(y, -2.0);
    EXPECT_GE(x, -2.0);
  }
}

TEST(ActivationPlot, HasAPanelForEachAndBothColours) {
  std::vector<ActivationSpec> all;
  for (const auto& row : activations()) {
    all.push_back(resolve(row.name));
  }
  const auto svg = activation_plot(all);
  EXPECT_EQ(count(svg, "<g "), activations().size());
  EXPECT_EQ(count(svg, "</g>"), activations().size());
  EXPECT_EQ(count(svg, "prefers-color-scheme: dark"), 1U);
  EXPECT_EQ(count(svg, "http"), 1U) << "the name space alone; nothing is loaded";
  EXPECT_EQ(svg.find("nan"), std::string::npos);
  EXPECT_EQ(svg.find("inf"), std::string::npos);
  EXPECT_NE(activation_plot({resolve("leaky_relu(0.25)")}).find(">leaky_relu(slope=0.25)<"),
            std::string::npos);
}

}  // namespace
}  // namespace actswap
