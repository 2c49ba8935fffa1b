#include "progress.h"
#include "log/log.h"

#include <actswap/base/clock.h>

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <string_view>

namespace actswap::tool {

namespace {

template <typename... Values>
std::string formatted(const char* format, Values... values) {
  char text[64];
  std::snprintf(text, sizeof text, format, values...);
  return text;
}

std::size_t columns() {
  constexpr std::size_t kDefault = 80;
  winsize size{};
  return ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : kDefault;
}

bool is_terminal() {
  const char* name = std::getenv("TERM");
  return ::isatty(STDERR_FILENO) == 1 && (name == nullptr || std::string_view(name) != "dumb");
}

// ACTSWAP_PROGRESS_SECONDS, for those who want lines more often, or less.
double log_interval() {
  constexpr double kDefault = 30.0;
  const char* setting = std::getenv("ACTSWAP_PROGRESS_SECONDS");
  const double seconds = setting == nullptr ? kDefault : std::strtod(setting, nullptr);
  return seconds > 0.0 ? seconds : kDefault;
}

// "0:07", "12:30", "5:04:00"
std::string clock_text(double seconds) {
  const auto whole = std::llround(std::min(seconds, 1e9));
  return whole < 3600 ? formatted("%lld:%02lld", whole / 60, whole % 60)
                      : formatted("%lld:%02lld:%02lld", whole / 3600, whole / 60 % 60, whole % 60);
}

std::string bar_of(double share) {
  constexpr std::size_t kWidth = 16;
  const auto filled = static_cast<std::size_t>(share * kWidth);
  return "[" + std::string(filled, '#') + std::string(kWidth - filled, '.') + "] ";
}

}  // namespace

std::string progress_line(const std::string& phase, const TimeLeft& time, double now,
                          const std::vector<std::string>& details, std::size_t width) {
  auto line = phase + " ";
  if (time.number() > 0 && time.count() > 1) {
    line += std::to_string(time.number()) + "/" + std::to_string(time.count()) + " ";
  }
  line += width > 0 ? bar_of(time.share(now)) : "";
  const double left = time.seconds_left(now);
  line += left < 0.0 ? "?:?? left" : clock_text(left) + (time.is_longer() ? "+" : "") + " left";
  if (width > 0 && line.size() > width) {
    return line.substr(0, width);
  }
  for (const auto& detail : details) {
    if (width > 0 && line.size() + 2 + detail.size() > width) {
      break;
    }
    line += "  " + detail;
  }
  return line;
}

ProgressDisplay::ProgressDisplay(bool quiet)
    : bar_(!quiet && is_terminal()), log_interval_(log_interval()) {}

double ProgressDisplay::now() const {
  return seconds_since(begin_);
}

void ProgressDisplay::clear() {
  if (drawn_) {
    std::fputs("\r\033[K", stderr);
    drawn_ = false;
  }
}

void ProgressDisplay::draw(const std::string& line) {
  std::fprintf(stderr, "\r\033[K%s", line.c_str());
  std::fflush(stderr);
  drawn_ = true;
}

void ProgressDisplay::show(const std::string& phase, std::int64_t done, std::int64_t all,
                           const std::vector<std::string>& details) {
  constexpr double kDrawInterval = 0.1;
  const double time = now();
  time_.note(phase, static_cast<double>(done) / static_cast<double>(std::max<std::int64_t>(all, 1)),
             time);
  if (bar_ && (done >= all || !drawn_ || time - last_drawn_ >= kDrawInterval)) {
    // A line that wraps cannot be erased.
    draw(progress_line(phase, time_, time, details, columns() - 1));
    last_drawn_ = time;
  }
  if (time - last_logged_ >= log_interval_) {
    const auto line = progress_line(phase, time_, time, details, 0);
    bar_ ? log_to_file(line) : log_info(line);
    last_logged_ = time;
  }
}

void ProgressDisplay::step(const std::string& phase, const Progress& progress) {
  show(phase, progress.step, progress.total_steps,
       {formatted("step %lld/%lld", static_cast<long long>(progress.step),
                  static_cast<long long>(progress.total_steps)),
        formatted("t %.3f", progress.t), formatted("loss %.4g", progress.loss),
        formatted("rate %.1e", progress.learning_rate), formatted("epoch %.2f", progress.epoch)});
}

void ProgressDisplay::count(const std::string& phase, std::int64_t done, std::int64_t all) {
  show(phase, done, all, {std::to_string(done) + "/" + std::to_string(all)});
}

void ProgressDisplay::epoch(const std::string& phase, const EpochRecord& epoch) {
  char line[160];
  std::snprintf(line, sizeof line, ": epoch %lld, step %lld, t %.3f, loss %.4f, %.1f s",
                static_cast<long long>(epoch.epoch), static_cast<long long>(epoch.step), epoch.t,
                epoch.mean_loss, epoch.seconds);
  message(phase + line);
}

void ProgressDisplay::message(const std::string& text) {
  clear();
  log_info(text);
}

void ProgressDisplay::warning(const std::string& text) {
  clear();
  log_warning(text);
}

}  // namespace actswap::tool
