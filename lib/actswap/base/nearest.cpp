#include <actswap/base/nearest.h>

#include <algorithm>
#include <cstddef>
#include <numeric>

namespace actswap {

namespace {

std::size_t edit_distance(const std::string& a, const std::string& b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t above = row[j];
      row[j] = std::min({above + 1, row[j - 1] + 1, diagonal + (a[i - 1] == b[j - 1] ? 0 : 1)});
      diagonal = above;
    }
  }
  return row[b.size()];
}

}  // namespace

std::optional<std::string> nearest(const std::string& name, const std::vector<std::string>& known) {
  const auto distance = [&](const std::string& each) { return edit_distance(name, each); };
  const auto found = std::ranges::min_element(known, {}, distance);
  const auto farthest = std::max<std::size_t>(2, name.size() / 2);
  return found == known.end() || distance(*found) > farthest ? std::nullopt : std::optional(*found);
}

std::string did_you_mean(const std::string& name, const std::vector<std::string>& known) {
  const auto found = nearest(name, known);
  return found ? "; did you mean '" + *found + "'?" : "";
}

}  // namespace actswap
