// What the tests of actswap convert share.
#pragma once

#include "scratch.h"

#include <actswap/graph/sites.h>

#include <map>
#include <regex>
#include <string>
#include <utility>
#include <vector>

namespace tool_test {

class Convert : public InScratch {
 protected:
  std::string model_ = model_file("scripted_module.pt");

  /// The activation of each site of an exported file.
  std::map<std::string, std::string> activations_in(const std::string& name) const {
    std::map<std::string, std::string> found;
    for (const auto& site : actswap::find_sites(actswap::load(path(name)))) {
      found[site.id] = site.activation.to_string();
    }
    return found;
  }
};

/// "label   value" lines, in their order.
inline std::vector<std::pair<std::string, std::string>> table_of(const std::string& text) {
  std::vector<std::pair<std::string, std::string>> rows;
  for (const auto& line : lines_of(text)) {
    std::smatch parts;
    if (std::regex_match(line, parts, std::regex("(.*?\\S)  +(\\S.*)"))) {
      rows.emplace_back(parts[1], parts[2]);
    } else {
      ADD_FAILURE() << "not a line of the table: " << line;
    }
  }
  return rows;
}

inline Words labels_of(const std::vector<std::pair<std::string, std::string>>& rows) {
  Words labels;
  for (const auto& [label, value] : rows) {
    labels.push_back(label);
  }
  return labels;
}

}  // namespace tool_test
