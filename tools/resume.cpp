#include "resume.h"
#include "subcommand.h"

#include <actswap/base/error.h>
#include <actswap/ranks/environment.h>
#include <actswap/report/run_status.h>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string_view>
#include <system_error>
#include <thread>

namespace actswap::tool {

namespace {

namespace fs = std::filesystem;
using Words = std::vector<std::string>;

constexpr std::string_view kResume = "--resume";
// What may differ: it changes no number of the result.
constexpr std::string_view kFree[] = {"--json",        "--verbose",       "--quiet",
                                      "--config",      "--run-dir",       "--checkpoint-every",
                                      "--resume",      "--log-file",      "--confine",
                                      "--max-memory",  "--max-file-size", "--max-processor-time",
                                      "--rank-timeout"};

bool is_free(const CLI::Option& option) {
  return std::ranges::find(kFree, option.get_name()) != std::end(kFree);
}

// The run that is named, and the other arguments.
struct Given {
  std::optional<std::string> run;
  Words others;
};

Given split(const Words& arguments) {
  Given given;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    if (arguments[i] == kResume && i + 1 < arguments.size()) {
      given.run = arguments[++i];
    } else if (arguments[i].starts_with(std::string(kResume) + "=")) {
      given.run = arguments[i].substr(kResume.size() + 1);
    } else {
      given.others.push_back(arguments[i]);
    }
  }
  return given;
}

struct Record {
  std::string status;
  RunState state;
  Invocation invocation;
};

Record read_record(const std::string& run) {
  const auto path = run + "/run.json";
  std::ifstream file(path);
  if (!file) {
    throw FileError("Expected the folder of a run for --resume, but cannot read '" + path +
                    "': " + std::strerror(errno));
  }
  try {
    const auto json = nlohmann::json::parse(file);
    Record record;
    record.status = json.at("status");
    record.state.process = json.at("process").at("pid");
    record.state.host = json.at("process").at("host");
    record.invocation.arguments = json.at("invocation").at("arguments");
    record.invocation.directory = json.at("invocation").at("directory");
    record.invocation.job = json.at("invocation").value("job", "");
    return record;
  } catch (const nlohmann::json::exception&) {
    throw FileError("'" + path + "' is not the record of a run that can be resumed");
  }
}

// Waits a little: a process killed a moment ago may still be ending.
bool goes_on(const RunState& state) {
  for (int i = 0; i < 20 && is_alive(state); ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
  return is_alive(state);
}

void expect_resumable(const Record& record, const std::string& run) {
  if (record.status == to_string(RunStatus::done)) {
    throw UsageError("The run in '" + run + "' is done; there is nothing to resume");
  }
  if (record.status == to_string(RunStatus::running) && goes_on(record.state)) {
    throw UsageError("The run in '" + run + "' is still running in the process " +
                     std::to_string(record.state.process) + " on " + record.state.host +
                     "; a second process would overwrite its files");
  }
  if (record.invocation.arguments.empty()) {
    throw UsageError("The run in '" + run +
                     "' was begun by a program and not by the command; only that program can "
                     "resume it (ConvertRequest::resumes)");
  }
}

// Parses the options of `convert` without running anything.
class Parsed {
 public:
  explicit Parsed(Words arguments) {
    register_convert(app_, common_, action_);
    auto* convert = app_.get_subcommand("convert");
    for (auto* option : convert->get_options()) {
      option->required(false);
    }
    arguments.insert(arguments.begin(), "convert");
    std::reverse(arguments.begin(), arguments.end());  // as CLI11 takes them
    try {
      app_.parse(std::move(arguments));
    } catch (const Error&) {
      // An option may need another one, which is in the record. A value that makes no sense is not
      // the one that the run began with.
    }
  }
  std::vector<const CLI::Option*> given() const {
    std::vector<const CLI::Option*> given;
    for (const auto* option : app_.get_subcommand("convert")->get_options()) {
      if (option->count() > 0) {
        given.push_back(option);
      }
    }
    return given;
  }
  std::string value_of(const std::string& name) const {
    const auto* option = app_.get_subcommand("convert")->get_option(name);
    return option->count() > 0 ? CLI::detail::join(option->results(), " ") : "none";
  }

 private:
  CommonOptions common_;
  Action action_;
  CLI::App app_;
};

void expect_same(const Words& given, const Words& recorded, const std::string& run) {
  const Parsed now(given);
  const Parsed then(recorded);
  for (const auto* option : now.given()) {
    const auto name = option->get_name();
    if (!is_free(*option) && now.value_of(name) != then.value_of(name)) {
      throw UsageError("Expected for --resume '" + run + "' the value that the run began with, " +
                       name + " " + then.value_of(name) + ", but got " + now.value_of(name) +
                       "; leave the option out");
    }
  }
}

// In the spelling of Parsed.
Words free_options(const Words& arguments) {
  Words words;
  const Parsed parsed(arguments);
  for (const auto* option : parsed.given()) {
    if (is_free(*option) && option->get_name() != "--run-dir") {
      const bool is_flag = option->get_expected_max() == 0;
      words.push_back(is_flag ? option->get_name()
                              : option->get_name() + "=" + option->results().front());
    }
  }
  return words;
}

Words without_free_options(const Words& arguments) {
  Words words;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const auto name = arguments[i].substr(0, arguments[i].find('='));
    const bool is_short = name == "-v" || name == "-q";
    if (std::ranges::find(kFree, name) == std::end(kFree) && !is_short) {
      words.push_back(arguments[i]);
    } else if (name == arguments[i] && name != "--json" && name != "--verbose" &&
               name != "--quiet" && !is_short) {
      ++i;  // its value
    }
  }
  return words;
}

}  // namespace

Words with_resumed_run(const Words& arguments) {
  if (arguments.empty() || arguments.front() != "convert") {
    return arguments;
  }
  const auto given = split({arguments.begin() + 1, arguments.end()});
  if (!given.run) {
    return arguments;
  }
  const auto run = fs::absolute(*given.run).lexically_normal().string();
  const auto record = read_record(run);
  if (rank_of_environment() == 0) {  // for other ranks it may be running by now
    expect_resumable(record, *given.run);
  }
  const auto& recorded = record.invocation.arguments;
  expect_same(given.others, recorded, *given.run);
  std::error_code error;
  fs::current_path(record.invocation.directory, error);
  if (error) {
    throw FileError("Cannot resume '" + *given.run + "' in the folder '" +
                    record.invocation.directory + "', where it was begun: " + error.message());
  }
  Words words = {"convert"};
  for (const auto& part : {without_free_options(recorded), free_options(given.others)}) {
    words.insert(words.end(), part.begin(), part.end());
  }
  words.push_back(std::string(kResume) + "=" + run);
  return words;
}

bool is_unfinished_of_job(const std::string& run, const std::string& job) {
  std::error_code ignored;
  if (job.empty() || !fs::exists(run + "/run.json", ignored)) {
    return false;
  }
  const auto record = read_record(run);
  return record.invocation.job == job && record.status != to_string(RunStatus::done);
}

}  // namespace actswap::tool
