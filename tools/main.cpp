#include "command.h"

#include <actswap/base/supervise.h>
#include <actswap/base/threads.h>

int main(int argc, char** argv) {
  actswap::limit_openmp_threads(argv);
  return actswap::supervise([&] { return actswap::tool::run_command(argc, argv); });
}
