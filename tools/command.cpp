#include "command.h"
#include "config_file.h"
#include "describe.h"
#include "log/log.h"
#include "resume.h"
#include "subcommand.h"
#include "text/answer.h"
#include "text/help.h"

#include <actswap/base/error.h>
#include <actswap/base/libtorch_error.h>
#include <actswap/base/out_of_memory.h>

#include <torch/csrc/jit/frontend/error_report.h>
#include <torch/csrc/jit/runtime/jit_exception.h>
#include <torch/csrc/jit/runtime/print_handler.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <exception>
#include <new>

namespace actswap::tool {

namespace {

LogLevel level_of(const CommonOptions& common) {
  return common.quiet ? LogLevel::error : common.verbose ? LogLevel::debug : LogLevel::info;
}

// One rank speaks for all; the others say what goes wrong.
void set_up_log_of_rank(const CommonOptions& common) {
  if (const int rank = rank_of_environment(); rank > 0) {
    set_up_log(LogLevel::error, "", "rank " + std::to_string(rank) + ": ");
  } else {
    set_up_log(level_of(common), common.log_file);
  }
}

// Standard output may be a full disk.
int flushed(int code) {
  if (std::fflush(stdout) == 0 && std::ferror(stdout) == 0) {
    return code;
  }
  throw FileError(std::string("Cannot write the result to standard output: ") +
                  std::strerror(errno));
}

// LibTorch's exceptions come from the user's file, because the command runs nothing else.
int report_libtorch(const std::string& what) {
  const auto activity = current_activity();
  const auto suffix = activity.empty() ? "" : " while " + activity;
  log_error(is_out_of_memory(what) ? "Out of memory" + suffix + ": " + libtorch_cause(what)
                                   : "LibTorch failed" + suffix + ": " + libtorch_cause(what));
  return static_cast<int>(ErrorKind::file);
}

int report_bug(const char* what) {
  constexpr int kOurBug = 1;
  std::fprintf(stderr,
               "error: This is a bug in actswap; please report it with the command that led here: "
               "%s\n",
               what);
  return kOurBug;
}

int run_action(const Action& action) {
  try {
    return flushed(action());
  } catch (const Error& error) {
    log_error(error.what());
    return static_cast<int>(error.kind());
  } catch (const Interrupted& interrupted) {
    log_error(std::string("No model was written: ") + interrupted.what());
    return 128 + stop_signal();
  } catch (const c10::Error& error) {
    return report_libtorch(error.what_without_backtrace());
  } catch (const torch::jit::ErrorReport& error) {
    return report_libtorch(error.what());
  } catch (const torch::jit::JITException& error) {
    return report_libtorch(error.what());
  } catch (const std::bad_alloc&) {
    const auto activity = current_activity();
    log_error("Out of memory" + (activity.empty() ? "" : " while " + activity));
    return static_cast<int>(ErrorKind::file);
  }
}

// All subcommands with their options.
struct Definitions {
  CLI::App app{
      "Replaces the expensive activations of a trained TorchScript model by cheaper ones."};
  CommonOptions common;
  Action action;

  Definitions() {
    app.set_help_flag();  // `answer` knows it
    app.require_subcommand(1);
    register_activations(app, common, action);
    register_inspect(app, common, action);
    register_convert(app, common, action);
    register_blend(app, common, action);
    register_collapse(app, common, action);
    register_eval(app, common, action);
    register_bench(app, common, action);
    register_sensitivity(app, common, action);
    register_runs(app, common, action);
    register_verify(app, common, action);
    register_report(app, common, action);
    register_doctor(app, common, action);
    register_completion(app);
    for (auto* subcommand : app.get_subcommands([](CLI::App*) { return true; })) {
      check_values(*subcommand);
    }
  }
};

// What CLI11 found, as an error of ours.
UsageError usage_error(const CLI::ParseError& error, const std::string& subcommand) {
  static const std::string kTwice = "At Most 1 required but received ";
  std::string what = error.what();
  if (const auto at = what.find(kTwice); at != std::string::npos) {
    what = what.substr(0, at) + "expected once, but given " + what.substr(at + kTwice.size()) +
           " times";
  }
  return UsageError(what + " (see actswap " + subcommand + " --help)");
}

void parse(Definitions& definitions, const std::vector<std::string>& words) {
  auto arguments = with_resumed_run(with_config_file(definitions.app, words));
  allow_dry_run(definitions.app, arguments);
  definitions.common.arguments.assign(arguments.begin() + 1, arguments.end());
  std::reverse(arguments.begin(), arguments.end());  // as CLI11 takes them
  try {
    definitions.app.parse(std::move(arguments));
  } catch (const CLI::ParseError& error) {
    throw usage_error(error, words.front());
  }
}

int run(int argc, char** argv) {
  const std::vector<std::string> words(argv + 1, argv + argc);
  close_inherited_descriptors(words);
  Definitions definitions;
  if (const auto text = answer(describe(definitions.app), words, help_width())) {
    return print(*text);
  }
  try {
    parse(definitions, words);
    set_up_log_of_rank(definitions.common);
  } catch (const Error& error) {
    set_up_log(level_of(definitions.common));
    log_error(error.what());
    return static_cast<int>(error.kind());
  }
  // Only results go to stdout, not the output that a model prints while it runs.
  torch::jit::setPrintHandler([](const std::string& text) { std::fputs(text.c_str(), stderr); });
  return run_action(definitions.action);
}

}  // namespace

CommandText command_text() {
  return describe(Definitions().app);
}

void catch_signals(bool has_record) {
  stop_in_order(has_record ? std::chrono::seconds(10) : std::chrono::seconds(1));
}

int run_command(int argc, char** argv) noexcept {
  try {
    return run(argc, argv);
  } catch (const std::exception& error) {
    return report_bug(error.what());
  } catch (...) {
    return report_bug("an exception of no known kind");
  }
}

}  // namespace actswap::tool
