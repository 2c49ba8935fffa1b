#include <actswap/report/page/html.h>

namespace actswap::page {

namespace {

std::string_view class_of(Wraps wraps) {
  switch (wraps) {
    case Wraps::none:
      break;
    case Wraps::last_column:
      return "class=\"wraps-last\"";
    case Wraps::all:
      return "class=\"wraps\"";
  }
  return "";
}

}  // namespace

std::string escaped(std::string_view text) {
  std::string html;
  html.reserve(text.size());
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    switch (c) {
      case '&':
        html += "&amp;";
        break;
      case '<':
        html += "&lt;";
        break;
      case '>':
        html += "&gt;";
        break;
      case '"':
        html += "&quot;";
        break;
      case '\'':
        html += "&#39;";
        break;
      default:
        html += (byte < 0x20 && c != '\n' && c != '\t') || byte == 0x7f ? ' ' : c;
    }
  }
  return html;
}

std::string element(std::string_view name, std::string_view content, std::string_view attributes) {
  std::string html = "<";
  html += name;
  if (!attributes.empty()) {
    (html += ' ') += attributes;
  }
  ((html += '>') += content) += "</";
  return (html += name) += '>';
}

std::string table(const Row& head, const std::vector<Row>& rows, Wraps wraps) {
  if (rows.empty()) {
    return "";
  }
  std::string cells;
  for (const auto& cell : head) {
    cells += element("th", cell, "scope=\"col\"");
  }
  std::string body;
  for (const auto& row : rows) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
      line += i == 0 ? element("th", row[i], "scope=\"row\"") : element("td", row[i]);
    }
    body += element("tr", line) + "\n";
  }
  const auto content =
      element("thead", element("tr", cells)) + "\n" + element("tbody", "\n" + body);
  return element("div", element("table", content, class_of(wraps)),
                 "class=\"scroll\" tabindex=\"0\"") +
         "\n";
}

std::string description_list(const std::vector<std::pair<std::string, std::string>>& terms) {
  std::string html;
  for (const auto& [term, text] : terms) {
    html += element("dt", term) + element("dd", text) + "\n";
  }
  return html.empty() ? "" : element("dl", html) + "\n";
}

std::string figure(const std::string& drawing, const std::string& caption) {
  return element("figure", drawing + element("figcaption", caption)) + "\n";
}

std::string side_by_side(const std::vector<std::string>& figures) {
  std::string html;
  for (const auto& each : figures) {
    html += each;
  }
  return html.empty() ? "" : element("div", "\n" + html, "class=\"figures\"") + "\n";
}

}  // namespace actswap::page
