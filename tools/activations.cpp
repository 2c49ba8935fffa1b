// actswap activations: the table.
#include "log/log.h"
#include "subcommand.h"

#include <actswap/activation/activation.h>
#include <actswap/base/files.h>
#include <actswap/base/json_text.h>
#include <actswap/kernel/blend_kernel.h>
#include <actswap/report/activation_plot.h>

#include <nlohmann/json.hpp>

#include <cstdio>

namespace actswap::tool {

namespace {

using Json = nlohmann::ordered_json;

struct Options {
  std::vector<std::string> names;
  std::string plot;
};

std::string role(const Activation& row) {
  return row.default_source ? "source" : row.default_target ? "target" : "by name";
}

// As what a row has a kernel in a fused blend; one without is composed of stock operators.
std::string kernel(const Activation& row) {
  const bool is_source = has_source_kernel(row);
  const bool is_target = has_target_kernel(row);
  return is_source && is_target ? "both" : is_source ? "source" : is_target ? "target" : "composed";
}

Json row_json(const Activation& row) {
  Json parameters = Json::object();
  for (const auto& parameter : row.parameters) {
    parameters[parameter.name] = parameter.default_value;
  }
  Json aliases = Json::array();
  for (const auto& alias : row.aliases) {
    aliases.push_back(alias.name);
  }
  return {{"name", row.name},
          {"aliases", aliases},
          {"parameters", parameters},
          {"role", role(row)},
          {"kernel", kernel(row)},
          {"formula", row.formula},
          {"torchscript", row.torchscript},
          {"reference", row.reference}};
}

// Those that are named, otherwise all, with the parameters that they have by default.
std::vector<ActivationSpec> chosen(const std::vector<std::string>& names) {
  std::vector<ActivationSpec> specs;
  specs.reserve(names.size());
  for (const auto& name : names) {
    specs.push_back(resolve(name));
  }
  if (names.empty()) {
    for (const auto& row : activations()) {
      specs.push_back(resolve(row.name));
    }
  }
  return specs;
}

void print_table(const std::vector<ActivationSpec>& specs) {
  std::printf("%-12s %-18s %-8s %-9s %s\n", "name", "aliases", "role", "kernel", "value");
  for (const auto& spec : specs) {
    const auto& row = *spec.activation;
    std::string aliases;
    for (const auto& alias : row.aliases) {
      aliases += (aliases.empty() ? "" : ", ") + alias.name;
    }
    std::printf("%-12s %-18s %-8s %-9s %s\n", row.name.c_str(), aliases.c_str(), role(row).c_str(),
                kernel(row).c_str(), row.formula.c_str());
  }
}

int run(const CommonOptions& common, const Options& options) {
  const auto specs = chosen(options.names);
  if (!options.plot.empty()) {
    write_text_atomically(options.plot, activation_plot(specs));
    log_info(std::to_string(specs.size()) + " functions drawn in " + options.plot);
  }
  if (!common.json) {
    print_table(specs);
    return 0;
  }
  Json rows = Json::array();
  for (const auto& spec : specs) {
    rows.push_back(row_json(*spec.activation));
  }
  std::printf("%s\n", json_text(Json({{"schema", 1}, {"activations", rows}})).c_str());
  return 0;
}

}  // namespace

void register_activations(CLI::App& app, CommonOptions& common, Action& action) {
  const auto options = std::make_shared<Options>();
  auto* subcommand = add_subcommand(app, common, action, "activations",
                                    "List the activations that actswap knows, and draw them",
                                    [&common, options] { return run(common, *options); });
  subcommand->remove_option(subcommand->get_option("--load-library"));  // it loads no model
  subcommand
      ->add_option("names", options->names, "Only these: silu, leaky_relu(0.1) (default: all)")
      ->type_name("NAME");
  begin_group(*subcommand, "Options", "actswap activations silu hard_mish relu --plot swap.svg");
  subcommand
      ->add_option("--plot", options->plot, "Draw functions and derivatives into this SVG file")
      ->type_name("FILE");
}

}  // namespace actswap::tool
