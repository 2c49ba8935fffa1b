#include "progress.h"
#include "log/log.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>

namespace actswap::tool {

namespace {

int columns() {
  constexpr int kDefault = 80;
  winsize size{};
  return ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : kDefault;
}

}  // namespace

ProgressDisplay::ProgressDisplay(bool quiet) : bar_(!quiet && ::isatty(STDERR_FILENO) == 1) {}

void ProgressDisplay::clear() {
  if (drawn_) {
    std::fputs("\r\033[K", stderr);
    drawn_ = false;
  }
}

void ProgressDisplay::draw(const std::string& phase, double share, double seconds,
                           const std::string& text) {
  constexpr double kInterval = 0.1;
  if (!bar_ || (share < 1.0 && drawn_ && seconds - last_drawn_ < kInterval)) {
    return;
  }
  constexpr int kWidth = 24;
  const int filled = static_cast<int>(share * kWidth);
  const double left = share > 0.0 ? seconds * (1.0 - share) / share : 0.0;
  std::array<char, 256> line{};
  std::snprintf(line.data(), line.size(), "%s [%s%s] %s  %.0f s left", phase.c_str(),
                std::string(static_cast<std::size_t>(filled), '#').c_str(),
                std::string(static_cast<std::size_t>(kWidth - filled), '.').c_str(), text.c_str(),
                left);
  // A line that wraps cannot be erased.
  std::fprintf(stderr, "\r\033[K%.*s", columns() - 1, line.data());
  std::fflush(stderr);
  drawn_ = true;
  last_drawn_ = seconds;
}

void ProgressDisplay::step(const std::string& phase, const Progress& progress) {
  std::array<char, 160> text{};
  std::snprintf(text.data(), text.size(),
                "epoch %.2f  step %lld/%lld  t %.3f  loss %.4f  rate %.2e", progress.epoch,
                static_cast<long long>(progress.step), static_cast<long long>(progress.total_steps),
                progress.t, progress.loss, progress.learning_rate);
  draw(phase,
       static_cast<double>(progress.step) /
           static_cast<double>(std::max<std::int64_t>(progress.total_steps, 1)),
       progress.seconds, text.data());
}

void ProgressDisplay::count(const std::string& phase, std::int64_t done, std::int64_t all) {
  if (phase != phase_) {  // the time left is that of the phase
    phase_ = phase;
    begin_ = std::chrono::steady_clock::now();
  }
  draw(phase, static_cast<double>(done) / static_cast<double>(std::max<std::int64_t>(all, 1)),
       std::chrono::duration<double>(std::chrono::steady_clock::now() - begin_).count(),
       std::to_string(done) + "/" + std::to_string(all));
}

void ProgressDisplay::epoch(const std::string& phase, const EpochRecord& epoch) {
  clear();
  char line[160];
  std::snprintf(line, sizeof line, ": epoch %lld, step %lld, t %.3f, loss %.4f, %.1f s",
                static_cast<long long>(epoch.epoch), static_cast<long long>(epoch.step), epoch.t,
                epoch.mean_loss, epoch.seconds);
  log_info(phase + line);
}

void ProgressDisplay::message(const std::string& text) {
  clear();
  log_info(text);
}

}  // namespace actswap::tool
