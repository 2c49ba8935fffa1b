// Data files: their options, reading them, and what the log says of it.
#include "log/log.h"
#include "subcommand.h"

#include <actswap/graph/input_layout.h>
#include <actswap/measure/normalisation.h>

namespace actswap::tool {

namespace {

void add_image_flags(CLI::App& app, ImageOptions& options) {
  app.add_option_function<std::string>(
         "--resize",
         [&options](const std::string& text) { options.resize = parse_image_size(text); },
         "Resize images: 256, the shorter side, or 224x192, height x width")
      ->type_name("SIZE");
  app.add_option_function<std::string>(
         "--crop", [&options](const std::string& text) { options.crop = parse_image_size(text); },
         "Then take the middle of images: 224, or 224x192")
      ->type_name("SIZE");
  app.add_option_function<std::string>(
         "--interpolation",
         [&options](const std::string& text) { options.interpolation = parse_interpolation(text); },
         "Resize by bilinear or bicubic, both with antialiasing")
      ->default_str("bilinear")
      ->check(one_of({"bilinear", "bicubic"}));
  app.add_flag("--grey", options.grey, "Read images as one channel of grey");
}

}  // namespace

void add_data_flags(CLI::App& app, DataOptions& options) {
  app.add_option("--mean", options.mean, "Subtract this from the inputs, per channel: 0.5,0.5,0.5")
      ->delimiter(',')
      ->allow_extra_args(false);
  app.add_option("--deviation", options.deviation, "Then divide the inputs by this, per channel")
      ->delimiter(',')
      ->allow_extra_args(false);
  app.add_option("--inputs", options.inputs, "Name the tensors that are the model's inputs: x,mask")
      ->type_name("NAME")
      ->delimiter(',')
      ->allow_extra_args(false);
  app.add_option("--target", options.targets,
                 "Name the tensor that is the target, or several for a loss that takes several")
      ->type_name("NAME")
      ->delimiter(',')
      ->allow_extra_args(false);
  app.add_option("--limit", options.limit, "Take the first examples only, this many; 0: all")
      ->check(at_least(0));
  add_image_flags(app, options.images);
}

Dependence data_flags_need(const std::vector<std::string>& on_any_of) {
  return {{"--mean", "--deviation", "--inputs", "--target", "--limit", "--resize", "--crop",
           "--interpolation", "--grey"},
          on_any_of};
}

std::shared_ptr<Dataset> read_data(const std::string& option, const std::string& spec,
                                   const Model& model, const DataOptions& options) {
  const auto data = load_data(spec, argument_names(model.module), options);
  log_info(option + ": " + data->description());
  return data;
}

void warn_of_normalisation(const std::string& option, const Model& model, const Dataset& data) {
  if (const auto doubt = doubt_normalisation(model, data)) {
    log_warning(option + ": " + *doubt);
  }
}

}  // namespace actswap::tool
