#include <actswap/measure/machine.h>

#include <ATen/Parallel.h>

#include <cstdlib>
#include <fstream>
#include <thread>

namespace actswap {

namespace {

// Linux on x86 has it as "model name"; Arm says nothing.
std::string processor_name() {
  std::ifstream file("/proc/cpuinfo");
  std::string line;
  while (std::getline(file, line)) {
    if (line.starts_with("model name")) {
      const auto begin = line.find_first_not_of(" \t", line.find(':') + 1);
      return begin == std::string::npos ? "" : line.substr(begin);
    }
  }
  return "";
}

}  // namespace

Machine this_machine() {
  double load = -1.0;
  if (::getloadavg(&load, 1) != 1) {
    load = -1.0;
  }
  return {.processor = processor_name(),
          .processors = std::thread::hardware_concurrency(),
          .threads = at::get_num_threads(),
          .load = load};
}

}  // namespace actswap
