#include <actswap/base/confined_run.h>
#include <actswap/base/error.h>

#include <sys/sysinfo.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <string_view>
#include <system_error>

namespace actswap {

namespace {

namespace fs = std::filesystem;

constexpr std::string_view kKeptVariables[] = {"ACTSWAP_", "OMP_",
                                               "GOMP_",    "KMP_",
                                               "MKL_",     "KINETO_",
                                               "TORCH_",   "PYTORCH_",
                                               "ATEN_",    "DNNL_",
                                               "ONEDNN_",  "LC_",
                                               "LANG",     "LD_LIBRARY_PATH",
                                               "TERM",     "COLUMNS",
                                               "NO_COLOR", "TZ",
                                               "MALLOC_",  "GLIBC_TUNABLES",
                                               "ASAN_",    "UBSAN_",
                                               "TSAN_",    "LLVM_PROFILE_FILE",
                                               "RANK",     "WORLD_SIZE",
                                               "MASTER_",  "TORCHELASTIC_",
                                               "GLOO_"};
// Files in which the C library finds hosts by their names, and Gloo its network device's bus.
constexpr const char* kReadToConnect[] = {
    "/etc/hosts",    "/etc/resolv.conf", "/etc/nsswitch.conf", "/etc/host.conf", "/etc/gai.conf",
    "/etc/hostname", "/sys/class/net",   "/sys/bus/pci",       "/sys/devices"};

// Secrets are often in variables. Their text is overwritten: it stays in memory, where a model may
// look.
void forget_environment() {
  std::vector<std::string> names;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text = *entry;
    const auto is_kept = [&](std::string_view kept) { return text.starts_with(kept); };
    if (std::ranges::none_of(kKeptVariables, is_kept)) {
      names.emplace_back(text.substr(0, text.find('=')));
    }
  }
  for (const auto& name : names) {
    if (char* value = std::getenv(name.c_str()); value != nullptr) {
      std::memset(value, 0, std::strlen(value));
    }
    ::unsetenv(name.c_str());
  }
}

// Of "/dev/fd/63", as a shell's <(...) is called; -1 where a word has none.
int descriptor_in(std::string_view word) {
  for (const std::string_view folder : {"/dev/fd/", "/proc/self/fd/"}) {
    int number = 0;
    if (const auto at = word.find(folder); at != word.npos) {
      const auto text = word.substr(at + folder.size());
      if (std::from_chars(text.data(), text.data() + text.size(), number).ec == std::errc{}) {
        return number;
      }
    }
  }
  return -1;
}

std::uint64_t memory_of_the_machine() {
  struct sysinfo info = {};
  ::sysinfo(&info);
  return (std::uint64_t{info.totalram} + info.totalswap) * info.mem_unit;
}

// Private memory that this process has taken, in bytes.
std::uint64_t memory_taken() {
  std::ifstream status("/proc/self/status");
  constexpr std::string_view kName = "VmData:";
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with(kName)) {
      constexpr std::uint64_t kUnit = 1024;
      return kUnit * std::strtoull(line.c_str() + kName.size(), nullptr, 10);
    }
  }
  return 0;
}

// A process that cannot even say that its memory is used up would just die.
void expect_enough(std::uint64_t memory) {
  constexpr std::uint64_t kMegabyte = 1000000;
  constexpr std::uint64_t kForMessages = 100 * kMegabyte;
  if (const auto least = memory_taken() + kForMessages; memory < least) {
    throw UsageError("Expected a limit of the memory (--max-memory) of " +
                     std::to_string(least / kMegabyte + 1) +
                     "MB or more, which LibTorch takes before it reads a model, but got " +
                     std::to_string(memory / kMegabyte) + "MB");
  }
}

std::string joined(const std::vector<std::string>& texts) {
  std::string all;
  for (const auto& text : texts) {
    all += (all.empty() ? "" : "; ") + text;
  }
  return all;
}

}  // namespace

ConfineMode parse_confine_mode(const std::string& word) {
  if (word == "auto") {
    return ConfineMode::automatic;
  }
  if (word == "require" || word == "off") {
    return word == "off" ? ConfineMode::off : ConfineMode::require;
  }
  throw UsageError("Expected auto, require or off, but got '" + word + "'");
}

void close_inherited_descriptors(const std::vector<std::string>& words) {
  std::set<int> kept = {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO, broker_descriptor()};
  for (const auto& word : words) {
    kept.insert(descriptor_in(word));
  }
  std::error_code error;
  std::vector<int> open;
  for (const auto& entry : fs::directory_iterator("/proc/self/fd", error)) {
    open.push_back(std::atoi(entry.path().filename().c_str()));
  }
  for (const int descriptor : open) {
    if (!kept.contains(descriptor)) {
      ::close(descriptor);
    }
  }
}

std::vector<std::string> confine_run(const ConfinedRun& run) {
  if (run.mode == ConfineMode::off) {
    return {};
  }
  const bool is_supervised = has_output_broker();
  const auto missing =
      is_supervised ? missing_confinement(confinement_support())
                    : std::vector<std::string>{"everything (no other process supervises this one)"};
  if (run.mode == ConfineMode::require && !missing.empty()) {
    throw UsageError(
        "Expected a machine that confines a model wholly (--confine require), but it leaves "
        "open: " +
        joined(missing));
  }
  if (!is_supervised) {
    return missing;
  }
  if (run.memory_bytes) {
    expect_enough(*run.memory_bytes);
  }
  Confinement keep;
  keep.readable = run.inputs;
  keep.writable = declare_outputs(run.outputs);
  keep.memory_bytes = run.memory_bytes.value_or(memory_of_the_machine());
  keep.file_bytes = run.file_bytes;
  keep.processor_seconds = run.processor_seconds;
  keep.network = run.network;
  if (run.network) {
    keep.readable.insert(keep.readable.end(), std::begin(kReadToConnect), std::end(kReadToConnect));
  }
  forget_environment();
  confine_process(keep);
  return missing;
}

}  // namespace actswap
