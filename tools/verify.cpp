// actswap verify: replays the self-test stored in an export, or compares two files.
#include "subcommand.h"

#include <actswap/base/error.h>
#include <actswap/base/json_text.h>
#include <actswap/export/export_model.h>
#include <actswap/export/find_probe.h>
#include <actswap/measure/input_spec.h>
#include <actswap/run/model_run.h>

#include <nlohmann/json.hpp>

#include <cstdio>

namespace actswap::tool {

namespace {

struct Options {
  std::string model;
  std::string against;
  std::vector<std::string> inputs;
  double tolerance = 1e-5;
};

Verification compare(const Options& options) {
  const auto model = load(options.model);
  const auto other = load(options.against);
  auto inputs = make_inputs(options.inputs, model.module);
  if (inputs.empty()) {
    inputs = find_probe(model.module, model).probe.inputs;
  }
  if (inputs.empty()) {
    throw UsageError("Expected --input SPEC: no guess at the inputs fits '" + options.model + "'");
  }
  expect_accepted({model.module, other.module}, {options.model, options.against}, inputs);
  return compare_models(other.module, model.module, inputs, options.tolerance);
}

int run(const CommonOptions& common, const Options& options) {
  const auto result =
      options.against.empty() ? verify_file(options.model, options.tolerance) : compare(options);
  if (common.json) {
    const nlohmann::ordered_json json = {{"schema", 1},
                                         {"verified", result.verified},
                                         {"max_abs_diff", result.max_abs_diff},
                                         {"max_rel_diff", result.max_rel_diff},
                                         {"outputs", result.outputs},
                                         {"random", result.is_random},
                                         {"reason", result.reason}};
    std::printf("%s\n", json_text(json).c_str());
  } else {
    std::printf("%s, largest difference %.3g (%.3g relative) over %lld outputs%s\n",
                result.verified  ? "verified"
                : result.differs ? "different"
                                 : "not verified",
                result.max_abs_diff, result.max_rel_diff, static_cast<long long>(result.outputs),
                result.is_random ? ", on the same random numbers" : "");
  }
  if (result.differs) {
    throw VerificationError("'" + options.model +
                            "' does not give the expected outputs: " + result.reason);
  }
  if (!result.verified) {
    throw VerificationError("'" + options.model + "' cannot be verified: " + result.reason);
  }
  return 0;
}

}  // namespace

void register_verify(CLI::App& app, CommonOptions& common, Action& action) {
  const auto options = std::make_shared<Options>();
  auto* subcommand = add_subcommand(
      app, common, action, "verify", "Replay an export's self-test, or compare two files",
      [&common, options] { return run(common, *options); }, {{{"--input"}, {"--against"}}});
  subcommand->add_option("model", options->model, "TorchScript file")
      ->type_name("FILE")
      ->required();
  begin_group(*subcommand, "Options",
              "actswap verify relu.pt --against net.pt --input 8x3x224x224");
  subcommand
      ->add_option("--against", options->against,
                   "Compare the outputs with those of this file instead")
      ->type_name("FILE");
  subcommand
      ->add_option(
          "--input", options->inputs,
          "With --against: compare on this input, like 8x3x224x224; once for each argument")
      ->type_name("SPEC")
      ->allow_extra_args(false);
  subcommand
      ->add_option(
          "--tolerance", options->tolerance,
          "Accept differences up to this share of the largest expected magnitude; integers, "
          "bools and strings must be equal")
      ->check(at_least(0));
}

}  // namespace actswap::tool
