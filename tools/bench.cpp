// actswap bench: paired latency of models under the runtime's settings.
#include "subcommand.h"

#include <actswap/base/json_text.h>
#include <actswap/graph/model.h>
#include <actswap/measure/input_spec.h>
#include <actswap/measure/latency.h>
#include <actswap/report/latency.h>
#include <actswap/run/model_run.h>

#include <nlohmann/json.hpp>

#include <cstdio>

namespace actswap::tool {

namespace {

struct Options {
  std::vector<std::string> models;
  std::vector<std::string> inputs;
  LatencyOptions latency;
};

int run(const CommonOptions& common, const Options& options) {
  std::vector<torch::jit::Module> models;
  models.reserve(options.models.size());
  for (const auto& path : options.models) {
    models.push_back(load(path).module);
  }
  const auto inputs = make_inputs(options.inputs, models.front());
  expect_accepted(models, options.models, inputs);
  auto rows = nlohmann::ordered_json::array();
  for (const auto setting :
       {RuntimeSetting::plain, RuntimeSetting::frozen, RuntimeSetting::optimized}) {
    const auto results = measure_latency(models, inputs, setting, options.latency);
    if (rows.empty() && !common.json) {
      std::printf("%-10s %-52s %s\n", "setting", "median (95 % interval), minimum", "model");
    }
    for (std::size_t i = 0; i < results.size(); ++i) {
      nlohmann::ordered_json row = {{"model", options.models[i]}, {"setting", to_string(setting)}};
      row.update(to_json_object(results[i]));
      rows.push_back(row);
      if (!common.json) {
        std::printf("%-10s %-52s %s\n", to_string(setting).c_str(),
                    latency_text(results[i]).c_str(), options.models[i].c_str());
        if (i > 0) {
          std::printf("%-10s of the first's: %s\n", "", ratio_text(results[i]).c_str());
        }
      }
    }
    if (!common.json && results.size() == 1 && !results.front().doubt.empty()) {
      std::printf("%-10s cannot be trusted: %s\n", "", results.front().doubt.c_str());
    }
  }
  if (common.json) {
    std::printf("%s\n",
                json_text(nlohmann::ordered_json({{"schema", 1}, {"results", rows}})).c_str());
  }
  return 0;
}

}  // namespace

void register_bench(CLI::App& app, CommonOptions& common, Action& action) {
  const auto options = std::make_shared<Options>();
  auto* subcommand =
      add_subcommand(app, common, action, "bench", "Time models in turn on the same inputs",
                     [&common, options] { return run(common, *options); });
  subcommand->add_option("models", options->models, "TorchScript files")
      ->type_name("FILE")
      ->required();
  begin_group(*subcommand, "Options",
              "actswap bench net.pt relu.pt --input 8x3x224x224 --rounds 50");
  subcommand->add_option("--input", options->inputs, "Like 8x3x224x224, one for each argument")
      ->type_name("SPEC")
      ->allow_extra_args(false)
      ->required();
  subcommand->add_option("--rounds", options->latency.rounds, "Time each model this many times")
      ->check(at_least(1));
  subcommand
      ->add_option("--warmup", options->latency.warmup,
                   "Run each model this many times before that")
      ->check(at_least(0));
}

}  // namespace actswap::tool
