// What the subcommands that write a model share: how its file is checked, and what is said of it.
#pragma once

#include <actswap/export/export_model.h>

#include <CLI/CLI.hpp>

#include <string>
#include <vector>

namespace actswap::tool {

/// --self-test, --force.
struct ExportFlags {
  std::string self_test = "random";  ///< as given: none, random, data
  bool force = false;
  void add(CLI::App& app);
  /// @param read paths of data, or several with commas between them; those that are no files count
  ///   for nothing
  /// @throws UsageError where the output would overwrite one of them, without --force
  void check(const std::string& output, const std::vector<std::string>& read) const;
};

/// Logs why a file is not verified or has no self-test, and that a model is random.
void report_export(const ExportResult& result);

}  // namespace actswap::tool
