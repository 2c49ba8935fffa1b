#include <actswap/base/activity.h>
#include <actswap/base/process_state.h>

#include <sys/mman.h>

#include <mutex>
#include <new>

namespace actswap {

namespace {

ProcessState own_state;
ProcessState* shared_state = nullptr;
std::mutex activity_mutex;  // a program may read files on several threads

}  // namespace

ProcessState& process_state() {
  return shared_state == nullptr ? own_state : *shared_state;
}

void share_state() {
  void* page = ::mmap(nullptr, sizeof(ProcessState), PROT_READ | PROT_WRITE,
                      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (page == MAP_FAILED) {
    throw std::bad_alloc();
  }
  shared_state = new (page) ProcessState;
}

void use_state(ProcessState& state) {
  shared_state = &state;
}

Reading::Reading(const std::string& path) : before_(current_activity()) {
  const std::lock_guard lock(activity_mutex);
  if (before_.empty()) {
    before_ = "working on '" + path + "'";
  }
  set_text(process_state().activity, ("reading '" + path + "'").c_str());
}

Reading::~Reading() {
  const std::lock_guard lock(activity_mutex);
  set_text(process_state().activity, before_.c_str());
}

std::string current_activity() {
  const std::lock_guard lock(activity_mutex);
  return process_state().activity.data();
}

void stop_in_order(std::chrono::milliseconds patience) {
  process_state().patience_ms = patience.count();
  process_state().stops_in_order = true;
}

StopsAtOnce::StopsAtOnce() : before_(process_state().stops_in_order.exchange(false)) {}

StopsAtOnce::~StopsAtOnce() {
  process_state().stops_in_order = before_;
}

int stop_signal() {
  return process_state().stop_signal;
}

TemporaryFolderNote::TemporaryFolderNote(const std::string& folder) : slot_(-1) {
  const std::lock_guard lock(activity_mutex);
  auto& folders = process_state().folders;
  for (int slot = 0; slot < ProcessState::kFolders && slot_ < 0; ++slot) {
    if (folders[static_cast<std::size_t>(slot)][0] == '\0') {
      slot_ = slot;
      set_text(folders[static_cast<std::size_t>(slot)], folder.c_str());
    }
  }
}

TemporaryFolderNote::~TemporaryFolderNote() {
  if (slot_ >= 0) {
    const std::lock_guard lock(activity_mutex);
    process_state().folders[static_cast<std::size_t>(slot_)][0] = '\0';
  }
}

}  // namespace actswap
