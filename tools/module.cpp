#include "module.h"
#include "command.h"

extern "C" ACTSWAP_API int actswap_run_command(int argc, char** argv,
                                               actswap::ProcessState& state) {
  actswap::use_state(state);
  return actswap::tool::run_command(argc, argv);
}
