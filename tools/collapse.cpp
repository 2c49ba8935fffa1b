// actswap collapse: the end of a blended file: t = 1, plain targets, verified.
#include "export_flags.h"
#include "subcommand.h"

#include <actswap/base/json_text.h>
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
  ExportFlags exporting;
};

int run(const CommonOptions& common, const Options& options) {
  options.exporting.check(options.output, options.inputs);
  const auto model = load(options.model);
  ExportOptions exporting;
  exporting.probe_inputs = make_inputs(options.inputs, model.module);
  exporting.self_test = parse_self_test(options.exporting.self_test);
  exporting.overwrites_original = options.exporting.force;
  const auto result = export_blended(model, options.output, exporting);
  report_export(result);
  if (common.json) {
    const nlohmann::ordered_json json = {{"schema", 1},
                                         {"output", options.output},
                                         {"verified", result.verified},
                                         {"max_abs_diff", result.max_abs_diff},
                                         {"reason", result.reason},
                                         {"random", result.is_random},
                                         {"self_test", to_string(result.self_test)}};
    std::printf("%s\n", json_text(json).c_str());
  } else {
    std::printf("%s, written to %s; self-test: %s\n", result.verified ? "verified" : "not verified",
                options.output.c_str(), self_test_text(result).c_str());
  }
  return 0;
}

}  // namespace

void register_collapse(CLI::App& app, CommonOptions& common, Action& action) {
  const auto options = std::make_shared<Options>();
  auto* subcommand = add_subcommand(app, common, action, "collapse",
                                    "Put the targets into a blended file, verify, export",
                                    [&common, options] { return run(common, *options); });
  subcommand->add_option("model", options->model, "File of `actswap blend`, trained")
      ->type_name("FILE")
      ->required();
  begin_group(*subcommand, "Options", "actswap collapse trained.pt -o relu.pt --input 8x3x224x224");
  subcommand->add_option("-o,--output", options->output, "File to write")
      ->type_name("FILE")
      ->required();
  subcommand
      ->add_option("--input", options->inputs,
                   "Verify on this input, like 8x3x224x224; once for each argument")
      ->type_name("SPEC")
      ->allow_extra_args(false);
  options->exporting.add(*subcommand);
}

}  // namespace actswap::tool
