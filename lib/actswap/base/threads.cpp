#include <actswap/base/threads.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>

namespace actswap {

void limit_openmp_threads() {
  constexpr long kMostForEach = 8;
  constexpr char kThreadsVariable[] = "OMP_NUM_THREADS";
  const char* setting = std::getenv(kThreadsVariable);
  const long wanted = setting == nullptr ? 0 : std::strtol(setting, nullptr, 10);
  const long processors = std::max(1L, static_cast<long>(std::thread::hardware_concurrency()));
  if (wanted <= kMostForEach * processors) {
    return;
  }
  std::fprintf(stderr, "warning: %s asks for %ld threads; taking %ld, as many as processors\n",
               kThreadsVariable, wanted, processors);
  ::setenv(kThreadsVariable, std::to_string(processors).c_str(), 1);
}

}  // namespace actswap
