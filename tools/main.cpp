// The actswap command: reads the command line, runs one subcommand, turns errors into exit codes.
#include "config_file.h"
#include "log/log.h"
#include "subcommand.h"

#include <actswap/base/error.h>

#include <torch/csrc/jit/runtime/print_handler.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <exception>

namespace actswap::tool {

namespace {

volatile std::sig_atomic_t caught_signal = 0;

void on_signal(int number) {
  if (caught_signal != 0) {
    std::_Exit(128 + number);
  }
  caught_signal = number;
}

LogLevel level_of(const CommonOptions& common) {
  return common.quiet ? LogLevel::error : common.verbose ? LogLevel::debug : LogLevel::info;
}

// CLI11 says only that a subcommand is required.
void check_subcommand(const CLI::App& app, const std::vector<std::string>& arguments) {
  if (arguments.empty() || arguments.front().starts_with('-')) {
    return;
  }
  std::string known;
  for (const auto* subcommand : app.get_subcommands([](const CLI::App*) { return true; })) {
    if (subcommand->get_name() == arguments.front()) {
      return;
    }
    known += (known.empty() ? "" : ", ") + subcommand->get_name();
  }
  throw UsageError("There is no subcommand '" + arguments.front() + "'; expected one of " + known +
                   " (see --help)");
}

// Standard output may be a full disk.
int flushed(int code) {
  if (std::fflush(stdout) == 0 && std::ferror(stdout) == 0) {
    return code;
  }
  throw FileError(std::string("Cannot write the result to standard output: ") +
                  std::strerror(errno));
}

}  // namespace

int report_bug(const char* what) noexcept {
  constexpr int kOurBug = 1;
  std::fprintf(stderr,
               "error: This is a bug in actswap; please report it with the command that led here: "
               "%s\n",
               what);
  return kOurBug;
}

void catch_signals() {
  std::signal(SIGINT, on_signal);
  std::signal(SIGTERM, on_signal);
}

int stop_signal() {
  return caught_signal;
}

int run(int argc, char** argv) {
  CLI::App app{
      "Replaces the expensive activations of a trained TorchScript model by cheaper ones."};
  app.set_version_flag("--version", ACTSWAP_VERSION);
  app.require_subcommand(1);
  CommonOptions common;
  Action action;
  register_activations(app, common, action);
  register_inspect(app, common, action);
  register_convert(app, common, action);
  register_blend(app, common, action);
  register_collapse(app, common, action);
  register_eval(app, common, action);
  register_bench(app, common, action);
  register_sensitivity(app, common, action);
  register_verify(app, common, action);
  try {
    auto arguments = with_config_file(app, {argv + 1, argv + argc});
    check_subcommand(app, arguments);
    std::reverse(arguments.begin(), arguments.end());  // as CLI11 takes them
    app.parse(std::move(arguments));
  } catch (const Error& error) {
    set_up_log(level_of(common));
    log_error(error.what());
    return static_cast<int>(error.kind());
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : static_cast<int>(ErrorKind::usage);
  }
  set_up_log(level_of(common));
  // Results alone go to stdout, and not what a model prints while it runs.
  torch::jit::setPrintHandler([](const std::string& text) { std::fputs(text.c_str(), stderr); });
  try {
    return flushed(action());
  } catch (const Error& error) {
    log_error(error.what());
    return static_cast<int>(error.kind());
  } catch (const Interrupted& interrupted) {
    log_error(std::string(interrupted.what()) + "; no model was written");
    return 128 + stop_signal();
  }
}

}  // namespace actswap::tool

int main(int argc, char** argv) {
  try {
    return actswap::tool::run(argc, argv);
  } catch (const std::exception& error) {
    return actswap::tool::report_bug(error.what());
  } catch (...) {
    return actswap::tool::report_bug("an exception of no known kind");
  }
}
