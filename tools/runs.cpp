// actswap runs: what became of the runs in a folder.
#include "subcommand.h"

#include <actswap/report/runs.h>

#include <cstdio>
#include <memory>

namespace actswap::tool {

void register_runs(CLI::App& app, CommonOptions& common, Action& action) {
  const auto folder = std::make_shared<std::string>(".");
  auto* subcommand =
      add_subcommand(app, common, action, "runs", "List the runs in a folder, and how they stand",
                     [&common, folder] {
                       const auto runs = find_runs(*folder);
                       std::printf("%s", common.json ? (runs_json(runs) + "\n").c_str()
                                                     : runs_table(runs).c_str());
                       return 0;
                     });
  subcommand->add_option("folder", *folder, "Look in this folder and those in it, three deep")
      ->type_name("FOLDER");
}

}  // namespace actswap::tool
