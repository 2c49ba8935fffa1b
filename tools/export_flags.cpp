#include "export_flags.h"
#include "log/log.h"
#include "options.h"

#include <actswap/base/same_file.h>

#include <sstream>

namespace actswap::tool {

void ExportFlags::add(CLI::App& app) {
  app.add_option("--self-test", self_test,
                 "What the file holds for `actswap verify`: random, inputs drawn between the least "
                 "and the largest number of the probe input; data, the probe input itself, which "
                 "without --input is up to eight examples of your data; none")
      ->type_name("WORD")
      ->check(one_of({"none", "random", "data"}));
  app.add_flag("--force", force, "Overwrite the model or data that is read, if -o names it");
}

void ExportFlags::check(const std::string& output, const std::vector<std::string>& read) const {
  for (const auto& paths : read) {
    std::istringstream parts(paths);
    for (std::string path; !force && std::getline(parts, path, ',');) {
      check_not_overwritten(output, path);
    }
  }
}

void report_export(const ExportResult& result) {
  if (!result.verified) {
    log_warning("not verified: " + result.reason);
  }
  if (!result.inputs.empty()) {
    log_info("compared on " + result.inputs);
  }
  if (result.is_random) {
    log_warning(
        "the model draws random numbers in eval mode (noise, or dropout that is always on): the "
        "comparison used the same ones for both models");
  }
  if (!result.self_test_reason.empty() && result.outputs > 0) {
    log_warning("the file has no self-test: " + result.self_test_reason);
  }
  if (result.self_test == SelfTest::data) {
    log_info("the self-test in the file holds the inputs that the model was verified on");
  }
}

}  // namespace actswap::tool
