#include <actswap/base/files.h>
#include <actswap/pipeline/run_log.h>

#include <nlohmann/json.hpp>

#include <algorithm>

namespace actswap {

namespace {

using Json = nlohmann::ordered_json;
using Clock = std::chrono::steady_clock;

constexpr std::int64_t kLoggedSteps = 500;  // of a training
constexpr Clock::duration kInterval = std::chrono::seconds(2);
// The whole file is written each time, so that it is never half a line.
constexpr int kLeastFlushShare = 20;

}  // namespace

RunLog::RunLog(const std::string& folder)
    : path_(folder.empty() ? std::string() : folder + "/metrics.jsonl") {}

void RunLog::add(const std::string& event, const Json& fields) {
  if (path_.empty()) {
    return;
  }
  Json line = {{"time", time_stamp()}, {"phase", phase_.empty() ? Json() : Json(phase_)}};
  if (seed_) {
    line["seed"] = *seed_;
  }
  line["event"] = event;
  line.update(fields);
  // Names in it may be no UTF-8.
  text_ += line.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
  is_flushed_ = false;
  if (Clock::now() - last_flush_ >= std::max(kInterval, kLeastFlushShare * flush_takes_)) {
    flush();
  }
}

void RunLog::flush() {
  if (is_flushed_) {
    return;
  }
  const auto begin = Clock::now();
  write_text_atomically(path_, text_);
  last_flush_ = Clock::now();
  flush_takes_ = last_flush_ - begin;
  is_flushed_ = true;
}

void RunLog::take_up(const std::string& text) {
  text_ = text;
  is_flushed_ = path_.empty();
}

void RunLog::status(RunStatus status, const std::string& reason) {
  add("status", {{"status", to_string(status)}, {"reason", reason}});
}

void RunLog::phase(const std::string& name, std::optional<std::uint64_t> seed) {
  phase_ = name;
  seed_ = seed;
  add("phase", Json::object());
}

void RunLog::message(const std::string& text) {
  add("message", {{"text", text}});
}

void RunLog::step(const Progress& progress) {
  const auto every = std::max<std::int64_t>(1, progress.total_steps / kLoggedSteps);
  if (progress.step % every != 0 && progress.step != 1 && progress.step != progress.total_steps) {
    return;
  }
  add("step", {{"step", progress.step},
               {"steps", progress.total_steps},
               {"epoch", progress.epoch},
               {"t", progress.t},
               {"loss", progress.loss},
               {"learning_rate", progress.learning_rate},
               {"seconds", progress.seconds}});
}

void RunLog::check(const CheckRecord& check) {
  Json fields = {{"step", check.step},
                 {"t", check.t},
                 {"value", check.value},
                 {"drop", check.drop},
                 {"best", check.best}};
  if (!check.ramp.empty()) {
    fields["ramp"] = check.ramp;
  }
  add("check", fields);
}

void RunLog::epoch(const EpochRecord& epoch) {
  add("epoch", {{"epoch", epoch.epoch},
                {"step", epoch.step},
                {"t", epoch.t},
                {"loss", epoch.mean_loss},
                {"learning_rate", epoch.learning_rate},
                {"seconds", epoch.seconds},
                {"waited", epoch.waited}});
}

void RunLog::retry(const Retry& retry) {
  add("retry", {{"step", retry.step},
                {"back_to", retry.back_to},
                {"learning_rate", retry.learning_rate},
                {"reason", retry.reason}});
}

void RunLog::count(const std::string& what, std::size_t done, std::size_t count) {
  add(what, {{"done", done}, {"count", count}});
}

void RunLog::metric(const std::string& model, const Evaluation& evaluation) {
  add("metric", {{"model", model},
                 {"metric", evaluation.metric},
                 {"value", evaluation.value},
                 {"mean_loss", evaluation.mean_loss}});
}

}  // namespace actswap
