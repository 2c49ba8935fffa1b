// actswap eval: the metric of a model on labelled data.
#include "log/log.h"
#include "subcommand.h"

#include <actswap/base/json_text.h>
#include <actswap/graph/model.h>
#include <actswap/measure/accuracy.h>
#include <actswap/measure/fixed_batch.h>

#include <nlohmann/json.hpp>

#include <cstdio>

namespace actswap::tool {

namespace {

struct Options {
  std::string model;
  std::string data;
  DataOptions data_options;
  std::int64_t batch_size = 256;
};

int run(const CommonOptions& common, const Options& options) {
  auto model = load(options.model);
  const auto data = read_data("--data", options.data, model, options.data_options);
  warn_of_normalisation("--data", model, *data);
  const auto batches = in_batches_of(model, data);
  const auto result =
      evaluate(model.module, *batches, options.batch_size, {}, Together(common.ranks));
  if (const auto doubt = doubt_numbers(result); !doubt.empty()) {
    log_warning(doubt);
  }
  if (!common.prints()) {
    return 0;
  }
  if (common.json) {
    const nlohmann::ordered_json json = {
        {"schema", 1},
        {"metric", result.metric},
        {"value", result.value},
        {"mean_loss", result.mean_loss},
        {"mean_cosine", result.mean_cosine ? nlohmann::ordered_json(*result.mean_cosine)
                                           : nlohmann::ordered_json()},
        {"examples", result.examples},
        {"per_class", result.per_class}};
    std::printf("%s\n", json_text(json).c_str());
  } else {
    std::printf("%s %.6g, mean loss %.6g, %lld examples\n", result.metric.c_str(), result.value,
                result.mean_loss, static_cast<long long>(result.examples));
  }
  return 0;
}

}  // namespace

void register_eval(CLI::App& app, CommonOptions& common, Action& action) {
  const auto options = std::make_shared<Options>();
  auto* subcommand = add_subcommand(
      app, common, action, "eval", "Measure a model on labelled data",
      [&common, options] { return run(common, *options); }, {}, Processes::several);
  subcommand->add_option("model", options->model, "TorchScript file")
      ->type_name("FILE")
      ->required();
  begin_group(*subcommand, "Options",
              "actswap eval relu.pt --data images,labels --mean 0.5 --deviation 0.25");
  subcommand
      ->add_option("--data", options->data,
                   "Labelled data: a folder of images, .pt, .npy, .npz, .safetensors, .csv, "
                   "'shard-{000..003}.tar', or images,labels")
      ->type_name("DATA")
      ->required();
  subcommand->add_option("--batch", options->batch_size, "Measure on this many examples at a time")
      ->check(at_least(1));
  add_data_flags(*subcommand, options->data_options);
}

}  // namespace actswap::tool
