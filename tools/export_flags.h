// Shared by the subcommands that write a model: how its file is checked, and reported.
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
  /// @param read paths of data, or several with commas between them; those that are not files are
  ///   ignored
  /// @throws UsageError if the output would overwrite one of them without --force
  void check(const std::string& output, const std::vector<std::string>& read) const;
};

/// Logs why a file is not verified or has no self-test, and that a model is random.
void report_export(const ExportResult& result);

}  // namespace actswap::tool
