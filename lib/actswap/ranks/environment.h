// Reads the variables by which torchrun, or another program that starts several processes,
// describes them: RANK, WORLD_SIZE, MASTER_ADDR, MASTER_PORT, TORCHELASTIC_...
#pragma once

#include <actswap/base/export.h>

#include <cstdint>
#include <string>

namespace actswap {

/// Whether there are other processes. @throws UsageError, as do all functions here, if a variable
/// makes no sense
ACTSWAP_API bool environment_names_ranks();
/// The number of this process; 0 where there are no others.
ACTSWAP_API int rank_of_environment();
/// How many there are; 1 where there are no others.
ACTSWAP_API int ranks_in_environment();

/// Where rank 0, or torchrun's agent, serves a store.
struct MasterAddress {
  std::string host;
  std::uint16_t port = 0;
  bool is_agents = false;  ///< the agent's, which outlives the processes
};
MasterAddress master_of_environment();

/// The name of torchrun's job; empty if it has none of its own (--rdzv-id).
ACTSWAP_API std::string job_of_environment();
/// Whether torchrun has started these processes again after one of them failed.
ACTSWAP_API bool is_restarted();

/// For work of a single process. @throws UsageError, which calls the work `what`, if there are
/// others
ACTSWAP_API void expect_one_process(const std::string& what);

}  // namespace actswap
