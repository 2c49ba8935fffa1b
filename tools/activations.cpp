// actswap activations: the table.
#include "subcommand.h"

#include <actswap/activation/activation.h>
#include <actswap/base/json_text.h>
#include <actswap/kernel/blend_kernel.h>

#include <nlohmann/json.hpp>

#include <cstdio>

namespace actswap::tool {

namespace {

using Json = nlohmann::ordered_json;

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

void print_table() {
  std::printf("%-12s %-18s %-8s %-9s %s\n", "name", "aliases", "role", "kernel", "value");
  for (const auto& row : activations()) {
    std::string aliases;
    for (const auto& alias : row.aliases) {
      aliases += (aliases.empty() ? "" : ", ") + alias.name;
    }
    std::printf("%-12s %-18s %-8s %-9s %s\n", row.name.c_str(), aliases.c_str(), role(row).c_str(),
                kernel(row).c_str(), row.formula.c_str());
  }
}

int run(const CommonOptions& common) {
  if (!common.json) {
    print_table();
    return 0;
  }
  Json rows = Json::array();
  for (const auto& row : activations()) {
    rows.push_back(row_json(row));
  }
  std::printf("%s\n", json_text(Json({{"schema", 1}, {"activations", rows}})).c_str());
  return 0;
}

}  // namespace

void register_activations(CLI::App& app, CommonOptions& common, Action& action) {
  auto* subcommand =
      add_subcommand(app, common, action, "activations", "List the activations that actswap knows",
                     [&common] { return run(common); });
  subcommand->remove_option(subcommand->get_option("--load-library"));  // it loads no model
  begin_group(*subcommand, kGeneral, "actswap activations --json");
}

}  // namespace actswap::tool
