#include <actswap/run/allocations.h>

#include <c10/core/Allocator.h>
#include <c10/util/Exception.h>
#include <c10/util/ThreadLocalDebugInfo.h>

#include <algorithm>
#include <cstddef>
#include <memory>
#include <mutex>

namespace actswap {

namespace {

// What LibTorch's allocator gives out and takes back while this is set.
class Allocations : public c10::MemoryReportingInfoBase {
 public:
  void reportMemoryUsage(void*, std::int64_t size, std::size_t, std::size_t, c10::Device) override {
    const std::scoped_lock lock(mutex_);
    now_ += size;
    most_ = std::max(most_, now_);
  }
  bool memoryProfilingEnabled() const override { return true; }
  Allocated sum() const { return {.most = most_, .left = now_}; }

 private:
  std::mutex mutex_;
  std::int64_t now_ = 0;
  std::int64_t most_ = 0;
};

// What was allocated before may be freed meanwhile, which LibTorch warns of.
class Silence : public c10::WarningHandler {
 public:
  void process(const c10::Warning&) override {}
};

}  // namespace

Allocated allocated(const std::function<void()>& run) {
  const auto allocations = std::make_shared<Allocations>();
  const c10::DebugInfoGuard guard(c10::DebugInfoKind::PROFILER_STATE, allocations);
  Silence silence;
  const c10::WarningUtils::WarningHandlerGuard no_warnings(&silence);
  run();
  return allocations->sum();
}

}  // namespace actswap
