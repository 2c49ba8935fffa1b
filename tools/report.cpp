// actswap report: a page for people, of one run or of several side by side.
#include "subcommand.h"

#include <actswap/base/files.h>
#include <actswap/base/json_text.h>
#include <actswap/report/html_report.h>

#include <nlohmann/json.hpp>

#include <cstdio>

namespace actswap::tool {

namespace {

struct Options {
  std::vector<std::string> runs;
  std::string output = "report.html";
};

int run(const CommonOptions& common, const Options& options) {
  check_writable(options.output);
  std::vector<RecordedRun> runs;
  runs.reserve(options.runs.size());
  for (const auto& path : options.runs) {
    runs.push_back(read_run(path));
  }
  write_text_atomically(options.output, html_report(runs));
  if (common.json) {
    const nlohmann::ordered_json json = {
        {"schema", 1}, {"output", options.output}, {"runs", options.runs}};
    std::printf("%s\n", json_text(json).c_str());
  } else {
    std::printf("written to %s\n", options.output.c_str());
  }
  return 0;
}

}  // namespace

void register_report(CLI::App& app, CommonOptions& common, Action& action) {
  const auto options = std::make_shared<Options>();
  auto* subcommand = app.add_subcommand("report", "Write a page that shows what runs did");
  subcommand->option_defaults()->always_capture_default();
  begin_group(*subcommand, "Options", "actswap report relu.pt.run hard_mish.pt.run -o report.html");
  subcommand->add_option("runs", options->runs, "Folders of runs, side by side")
      ->type_name("RUN")
      ->required();
  subcommand->add_option("-o,--output", options->output, "Write the page to this file")
      ->type_name("FILE");
  subcommand->add_flag("--json", common.json, "Print the result as JSON");
  subcommand->callback([&common, &action, options] {
    action = [&common, options] { return run(common, *options); };
  });
}

}  // namespace actswap::tool
