#include <actswap/base/error.h>
#include <actswap/ranks/ranks.h>

#include <algorithm>
#include <sstream>

namespace actswap {

namespace {

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) {
    lines.push_back(line);
  }
  return lines;
}

}  // namespace

void expect_same_on_all(const Ranks& ranks, const std::string& facts) {
  const auto texts = ranks.texts(facts);
  const auto expected = lines_of(texts.at(0));
  for (std::size_t rank = 1; rank < texts.size(); ++rank) {
    const auto found = lines_of(texts[rank]);
    for (std::size_t i = 0; i < std::max(expected.size(), found.size()); ++i) {
      const auto line = [i](const std::vector<std::string>& lines) {
        return i < lines.size() ? "'" + lines[i] + "'" : std::string("nothing");
      };
      if (line(expected) != line(found)) {
        throw UsageError("Expected the same on all ranks, but rank 0 has " + line(expected) +
                         " and rank " + std::to_string(rank) + " has " + line(found));
      }
    }
  }
}

}  // namespace actswap
