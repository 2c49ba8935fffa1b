#include <actswap/base/error.h>
#include <actswap/ranks/environment.h>

#include <charconv>
#include <cstdlib>

namespace actswap {

namespace {

constexpr int kMostRanks = 1 << 20;

std::string variable(const char* name) {
  const char* found = std::getenv(name);
  return found == nullptr ? "" : found;
}

int number_in(const char* name, int least, int most) {
  const auto text = variable(name);
  int number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || number < least || number > most) {
    throw UsageError("Expected the environment variable " + std::string(name) +
                     " to be a number from " + std::to_string(least) + " to " +
                     std::to_string(most) + ", as torchrun sets it, but found '" + text + "'");
  }
  return number;
}

}  // namespace

// Some systems name the number of processes alone, for a job of one as well.
int ranks_in_environment() {
  return variable("WORLD_SIZE").empty() || variable("RANK").empty()
             ? 1
             : number_in("WORLD_SIZE", 1, kMostRanks);
}

bool environment_names_ranks() {
  return ranks_in_environment() > 1;
}

int rank_of_environment() {
  return environment_names_ranks() ? number_in("RANK", 0, ranks_in_environment() - 1) : 0;
}

MasterAddress master_of_environment() {
  constexpr int kLastPort = 65535;
  MasterAddress address;
  address.host = variable("MASTER_ADDR");
  if (address.host.empty()) {
    throw UsageError(
        "Expected the environment variable MASTER_ADDR to name the host of rank 0, as torchrun "
        "sets it, but it is not set");
  }
  address.port = static_cast<std::uint16_t>(number_in("MASTER_PORT", 1, kLastPort));
  address.is_agents = variable("TORCHELASTIC_USE_AGENT_STORE") == "True";
  return address;
}

std::string job_of_environment() {
  const auto job = variable("TORCHELASTIC_RUN_ID");
  return job == "none" ? "" : job;  // torchrun's word for it
}

bool is_restarted() {
  const auto count = variable("TORCHELASTIC_RESTART_COUNT");
  return !count.empty() && count != "0";
}

void expect_one_process(const std::string& what) {
  if (environment_names_ranks()) {
    throw UsageError("Expected one process, but the environment names " + variable("WORLD_SIZE") +
                     " (RANK, WORLD_SIZE), as torchrun sets it: " + what +
                     " runs in one process only, since several would write the same files");
  }
}

}  // namespace actswap
