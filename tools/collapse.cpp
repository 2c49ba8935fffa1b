// actswap collapse: the end of a blended file: t = 1, plain targets, verified.
#include "log/log.h"
#include "subcommand.h"

#include <actswap/export/export_model.h>
#include <actswap/measure/input_spec.h>

#include <nlohmann/json.hpp>

#include <cstdio>

namespace actswap::tool {

namespace {

struct Options {
  std::string model;
  std::string output;
  std::vector<std::string> inputs;
};

int run(const CommonOptions& common, const Options& options) {
  const auto model = load(options.model);
  ExportOptions exporting;
  exporting.probe_inputs = make_inputs(options.inputs);
  const auto result = export_blended(model, options.output, exporting);
  if (!result.verified) {
    log_warning("not verified: " + result.reason + "; give --input SPEC (for example 1x3x224x224)");
  }
  if (common.json) {
    const nlohmann::ordered_json json = {{"schema", 1},
                                         {"output", options.output},
                                         {"verified", result.verified},
                                         {"max_abs_diff", result.max_abs_diff}};
    std::printf("%s\n", json.dump(2).c_str());
  } else {
    std::printf("%s, written to %s\n", result.verified ? "verified" : "not verified",
                options.output.c_str());
  }
  return 0;
}

}  // namespace

void register_collapse(CLI::App& app, CommonOptions& common, Action& action) {
  const auto options = std::make_shared<Options>();
  auto* subcommand = add_subcommand(app, common, action, "collapse",
                                    "Put the targets into a blended file, verify, export",
                                    [&common, options] { return run(common, *options); });
  subcommand->add_option("model", options->model, "File of `actswap blend`, trained")->required();
  subcommand->add_option("-o,--output", options->output, "File to write")->required();
  subcommand
      ->add_option("--input", options->inputs,
                   "Verify on this input, like 8x3x224x224; once for each argument")
      ->allow_extra_args(false);
}

}  // namespace actswap::tool
