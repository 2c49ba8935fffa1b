#include <actswap/base/files.h>
#include <actswap/report/html_report.h>
#include <actswap/report/page/html.h>
#include <actswap/report/page/sections.h>
#include <actswap/report/page/style.h>

#include <algorithm>
#include <array>
#include <string_view>

namespace actswap {

namespace {

using page::element;
using page::escaped;

struct Section {
  std::string_view id;
  std::string_view title;
  std::string_view about;
  std::string (*content)(const RecordedRun& run);
};

constexpr std::array kSections = {
    Section{"verdict", "Verdict", "", page::verdict},
    Section{"steps", "Step by step",
            "The metric on the validation data after each step of the conversion.",
            page::staircase},
    Section{"curves", "Training", "What the training did, by its steps.", page::curves},
    Section{
        "sites", "Sites",
        "A site is a place where the model applies an activation. Bars: how often the original's "
        "site gets an input of that size. Lines: the two functions.",
        page::sites},
    Section{
        "layers", "Layers",
        "How far the output of each fitted layer is from the original's, as a root mean square on "
        "inputs held out.",
        page::layers},
    Section{"pruning", "Pruning",
            "The units cut, and how much of their readers' output variance this lost.",
            page::pruning},
    Section{"classes", "Classes", "The accuracy in each class. An average can hide one that fell.",
            page::classes},
    Section{"latency", "Latency",
            "Each line is a timed forward; the two models ran in turn. Thick: the median, with its "
            "95 % interval.",
            page::latency},
    Section{"verified", "What was verified", "", page::verification},
    Section{"repeat", "How to repeat it", "", page::how_to_repeat},
};

// The run's part of a section. Of a single run it has no heading.
std::string part(const RecordedRun& run, const std::string& content, bool is_one_of_several) {
  if (content.empty()) {
    return "";
  }
  const auto heading = is_one_of_several ? element("h3", escaped(page::name_of(run))) + "\n" : "";
  return element("article", "\n" + heading + content) + "\n";
}

std::string section(std::string_view id, std::string_view title, std::string_view about,
                    const std::string& content) {
  const auto introduction = about.empty() ? "" : element("p", about, "class=\"about\"") + "\n";
  return element("section", "\n" + element("h2", title) + "\n" + introduction + content,
                 "id=\"" + std::string(id) + "\"") +
         "\n";
}

class Page {
 public:
  void add(std::string_view id, std::string_view title, std::string_view about,
           const std::string& content) {
    if (content.empty()) {
      return;
    }
    links_ += element("a", title, "href=\"#" + std::string(id) + "\"");
    body_ += section(id, title, about, content);
  }

  std::string html(const std::string& title) const {
    return "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
           "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n" +
           element("title", escaped(title)) + "\n" + element("style", std::string(page::style())) +
           "\n</head>\n<body>\n" +
           element("header", element("h1", escaped(title)) + "\n" + element("nav", links_)) + "\n" +
           element("main", "\n" + body_) + "\n</body>\n</html>\n";
  }

 private:
  std::string links_;
  std::string body_;
};

}  // namespace

std::string html_report(const std::vector<RecordedRun>& runs) {
  const bool are_several = runs.size() > 1;
  Page report;
  for (const auto& each : kSections) {
    std::string parts;
    for (const auto& run : runs) {
      parts += part(run, each.content(run), are_several);
    }
    if (!parts.empty() && are_several) {
      parts = element("div", "\n" + parts, "class=\"runs\"") + "\n";
    }
    report.add(each.id, each.title, each.about, parts);
    if (are_several && each.id == "verdict") {
      report.add("runs", "Runs side by side", "", page::comparison(runs));
    }
  }
  report.add("glossary", "Glossary", "", page::glossary());
  return report.html(are_several ? std::to_string(runs.size()) + " conversions"
                                 : "Conversion to " + page::name_of(runs.front()));
}

void write_report(const RecordedRun& run) {
  write_text_atomically(run.folder + "/report.html", html_report({run}));
}

}  // namespace actswap
