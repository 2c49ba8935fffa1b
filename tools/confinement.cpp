#include "confinement.h"
#include "groups.h"
#include "log/log.h"
#include "options.h"

#include <actswap/pipeline/run_directory.h>
#include <actswap/ranks/environment.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <system_error>
#include <vector>

namespace actswap::tool {

namespace {

namespace fs = std::filesystem;

// "module:loss.pt", "data/part-*.npy": the file, or the folder of the files that a pattern matches.
std::string input_in(const std::string& value) {
  std::error_code ignored;
  const auto colon = fs::exists(value, ignored) ? std::string::npos : value.rfind(':');
  const auto path = value.substr(colon + 1);
  const auto pattern = path.find_first_of("*?[{");
  return pattern == std::string::npos ? path
                                      : fs::path(path.substr(0, pattern)).parent_path().string();
}

// "images.gz,labels.gz", "ids.npy;1x16": each part, and a file with the whole word as its name.
std::vector<std::string> inputs_in(const std::string& value) {
  constexpr char kBetween[] = ",;";
  std::vector<std::string> found = {input_in(value)};
  for (std::size_t begin = 0;
       begin < value.size() && value.find_first_of(kBetween) != std::string::npos;) {
    const auto end = std::min(value.find_first_of(kBetween, begin), value.size());
    found.push_back(input_in(value.substr(begin, end - begin)));
    begin = end + 1;
  }
  return found;
}

bool names_files(const CLI::Option& option) {
  const auto type = option.get_type_name();
  if (option.check_lname("log-file")) {
    return false;  // it is already open, and no model may read it
  }
  return type == "FILE" || type == "FOLDER" || type == "DATA" || type == "SPEC" ||
         option.check_lname("loss");
}

}  // namespace

void ConfineFlags::add(CLI::App& subcommand) {
  begin_group(subcommand, "Confinement",
              "actswap inspect net.pt --confine require --max-memory 4GB");
  subcommand
      .add_option("--confine", mode,
                  "Keep the model's code from all files but those named here, from the network and "
                  "from other processes: auto: as far as "
                  "this kernel can; require: completely, or stop; off")
      ->type_name("WORD")
      ->check(one_of({"auto", "require", "off"}));
  subcommand
      .add_option("--max-memory", run.memory_bytes,
                  "Take no more memory than this, 4GB (default: what the machine has)")
      ->transform(size_in_bytes())
      ->type_name("SIZE");
  subcommand.add_option("--max-file-size", run.file_bytes, "Write no file larger than this")
      ->transform(size_in_bytes())
      ->type_name("SIZE");
  subcommand
      .add_option("--max-processor-time", run.processor_seconds,
                  "Stop after this many seconds of processor time, of all threads together")
      ->type_name("SECONDS")
      ->check(at_least(1));
}

bool is_on(const ConfineFlags& flags) {
  return parse_confine_mode(flags.mode) != ConfineMode::off;
}

void confine(const CLI::App& subcommand, const ConfineFlags& flags) {
  auto run = flags.run;
  run.mode = parse_confine_mode(flags.mode);
  run.network = environment_names_ranks();
  for (const auto* option : subcommand.get_options()) {
    for (const auto& value : option->results()) {
      if (value.empty()) {
        continue;
      }
      if (option->check_lname("output")) {
        run.outputs.files.push_back(value);
        std::error_code ignored;
        const auto record = value + ".run";  // the default of --run-dir
        if (!fs::exists(record, ignored) || fs::is_directory(record, ignored)) {
          run.outputs.folders.push_back(record);
        }
      } else if (option->check_lname("plot")) {
        run.outputs.files.push_back(value);
      } else if (option->check_lname("run-dir")) {
        run.outputs.folders.push_back(value);
      } else if (option->check_lname("resume")) {
        run.inputs.push_back(value);
        run.outputs.folders.push_back(value);
      } else if (names_files(*option)) {
        const auto inputs = inputs_in(value);
        run.inputs.insert(run.inputs.end(), inputs.begin(), inputs.end());
      }
    }
  }
  if (is_restarted() || !job_of_environment().empty()) {  // an earlier start may have begun the run
    run.inputs.insert(run.inputs.end(), run.outputs.folders.begin(), run.outputs.folders.end());
  }
  if (rank_of_environment() > 0) {  // it writes nothing
    run.outputs = {};
  }
  if (const auto* folder = subcommand.get_option_no_throw("--run-dir");
      folder != nullptr && folder->count() > 0 && !run.outputs.files.empty()) {
    check_run_directory(folder->results().front(), run.outputs.files.front());
  }
  for (const auto& open : confine_run(run)) {
    log_warning("not confined: " + open + "; see actswap doctor");
  }
}

}  // namespace actswap::tool
