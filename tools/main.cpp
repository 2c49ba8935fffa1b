// The actswap command: reads the command line, runs one subcommand, turns errors into exit codes.
#include "log/log.h"
#include "subcommand.h"

#include <actswap/base/error.h>

#include <csignal>
#include <exception>

namespace actswap::tool {

namespace {

volatile std::sig_atomic_t caught_signal = 0;

// The first asks the training loop to end in order; the second ends the program.
void on_signal(int number) {
  if (caught_signal != 0) {
    std::_Exit(128 + number);
  }
  caught_signal = number;
}

LogLevel level_of(const CommonOptions& common) {
  return common.quiet ? LogLevel::error : common.verbose ? LogLevel::debug : LogLevel::info;
}

constexpr int kOurBug = 1;

}  // namespace

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
  register_eval(app, common, action);
  register_bench(app, common, action);
  register_verify(app, common, action);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : static_cast<int>(ErrorKind::usage);
  }
  set_up_log(level_of(common));
  std::signal(SIGINT, on_signal);
  std::signal(SIGTERM, on_signal);
  try {
    return action();
  } catch (const Error& error) {
    log_error(error.what());
    return static_cast<int>(error.kind());
  } catch (const Interrupted& interrupted) {
    log_error(std::string(interrupted.what()) + "; nothing was written");
    return 128 + stop_signal();
  } catch (const std::exception& error) {
    log_error(std::string("This is a bug in actswap; please report it with the command that led "
                          "here: ") +
              error.what());
    return kOurBug;
  }
}

}  // namespace actswap::tool

int main(int argc, char** argv) {
  return actswap::tool::run(argc, argv);
}
