#include <actswap/base/nearest.h>

#include <algorithm>
#include <cstddef>
#include <numeric>

namespace actswap {

namespace {

// Letters that are missing, too many or wrong, and neighbours that changed places (optimal string
// alignment).
std::size_t edit_distance(const std::string& a, const std::string& b) {
  std::vector<std::vector<std::size_t>> rows(a.size() + 1, std::vector<std::size_t>(b.size() + 1));
  std::iota(rows[0].begin(), rows[0].end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    rows[i][0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      rows[i][j] = std::min({rows[i - 1][j] + 1, rows[i][j - 1] + 1,
                             rows[i - 1][j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1)});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        rows[i][j] = std::min(rows[i][j], rows[i - 2][j - 2] + 1);
      }
    }
  }
  return rows[a.size()][b.size()];
}

}  // namespace

std::optional<std::string> nearest(const std::string& name, const std::vector<std::string>& known) {
  const auto distance = [&](const std::string& each) { return edit_distance(name, each); };
  const auto found = std::ranges::min_element(known, {}, distance);
  const auto letters = name.size() - std::min(name.find_first_not_of('-'), name.size());
  const auto farthest = std::max<std::size_t>(1, letters / 3);
  return found == known.end() || distance(*found) > farthest ? std::nullopt : std::optional(*found);
}

std::string did_you_mean(const std::string& name, const std::vector<std::string>& known) {
  const auto found = nearest(name, known);
  return found ? "; did you mean '" + *found + "'?" : "";
}

}  // namespace actswap
