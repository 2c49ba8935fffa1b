#include <actswap/base/error.h>
#include <actswap/pipeline/checkpoint_room.h>
#include <actswap/pipeline/recorded.h>
#include <actswap/report/event_file.h>
#include <actswap/report/html_report.h>
#include <actswap/report/shell_word.h>

#include <filesystem>
#include <system_error>
#include <utility>

namespace actswap {

namespace {

class Recorder {
 public:
  Recorder(const Model& model, const Plan& plan, const ConvertOptions& options,
           const ConvertCallbacks& callbacks)
      : options_(options),
        callbacks_(callbacks),
        run_(begun_run(model, plan, options)),
        log_(options.run_directory),
        checkpoints_(options.run_directory, options.checkpoint_every,
                     facts_of_recorded(model, plan, options), log_, options.together),
        bytes_of_checkpoint_(checkpoint_bytes(model, options)) {}

  Run run(const std::function<Run(RunProgress, Run&)>& convert) {
    begin();
    try {
      if (!options_.run_directory.empty()) {
        expect_room(options_.run_directory, bytes_of_checkpoint_);
      }
      convert({log_, checkpoints_}, run_);
      finish();
      return std::move(run_);
    } catch (const Interrupted& stop) {
      end(RunStatus::interrupted, stop.what());
      throw Interrupted(stop.what() + how_to_go_on());
    } catch (const FileError& error) {
      end(RunStatus::failed, error.what());
      throw FileError(error.what() + where_it_is_whole());
    } catch (const std::exception& error) {
      end(RunStatus::failed, error.what());
      throw;
    }
  }

 private:
  std::vector<RunFact> facts_of_recorded(const Model& model, const Plan& plan,
                                         const ConvertOptions& options) {
    if (options.run_directory.empty()) {
      return {};
    }
    auto facts = facts_of(model, plan, options);
    run_.options_sha256 = sha256_of(facts);
    return facts;
  }

  void say(const std::string& text) const {
    if (callbacks_.on_message) {
      callbacks_.on_message(text);
    }
  }

  void begin() {
    if (options_.resumes) {
      const bool is_found =
          checkpoints_.take_up([this](const std::string& text) { say("warning: " + text); });
      say(is_found ? "resuming from '" + checkpoints_.last() + "'"
                   : "there is no checkpoint yet: the run begins again");
    } else {
      if (checkpoints_.remove()) {
        say("warning: the checkpoints of an earlier run in '" + options_.run_directory +
            "' are removed; --resume would have continued from one");
      }
    }
    write_record(run_, checkpoints_.seconds());
    log_.status(RunStatus::running, options_.resumes ? "resumed" : "");
  }

  void finish() {
    end_of_log(RunStatus::done, "");
    checkpoints_.remove();
    write_end_of_record();
  }

  // With the page of the run, and its events for TensorBoard.
  void write_end_of_record() {
    write_record(run_, checkpoints_.seconds());
    if (run_.run_directory.empty()) {
      return;
    }
    // Not from the folder: a confined process cannot read what it has written.
    const auto recorded = parse_run(run_.run_directory, to_json(run_), log_.text(),
                                    repeated_configuration(options_, run_));
    write_event_file(recorded);
    write_report(recorded);
  }

  void end_of_log(RunStatus status, const std::string& reason) {
    run_.state.status = status;
    run_.state.reason = reason;
    log_.status(status, reason);
    log_.flush();
  }

  // The disk may be full: what went wrong is said in any case.
  void end(RunStatus status, const std::string& reason) {
    try {
      end_of_log(status, reason);
      write_end_of_record();
    } catch (const FileError&) {
      run_.state.reason = reason;
    }
  }

  std::string command() const {
    return "actswap convert --resume " + shell_word(options_.run_directory);
  }

  std::string how_to_go_on() const {
    return options_.run_directory.empty() ? "" : "; to go on: " + command();
  }

  std::string where_it_is_whole() const {
    std::error_code ignored;
    if (!std::filesystem::exists(checkpoints_.last(), ignored)) {
      return "";
    }
    return "; the last checkpoint, '" + checkpoints_.last() +
           "', is whole, and the run can go on from there: " + command();
  }

  const ConvertOptions& options_;
  const ConvertCallbacks& callbacks_;
  Run run_;
  RunLog log_;
  RunCheckpoints checkpoints_;
  std::int64_t bytes_of_checkpoint_;
};

}  // namespace

Run recorded(const Model& model, const Plan& plan, const ConvertOptions& options,
             const ConvertCallbacks& callbacks,
             const std::function<Run(RunProgress, Run&)>& convert) {
  return Recorder(model, plan, options, callbacks).run(convert);
}

}  // namespace actswap
