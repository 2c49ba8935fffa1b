#include "command.h"

#include <actswap/base/supervise.h>

int main(int argc, char** argv) {
  return actswap::supervise([&] { return actswap::tool::run_command(argc, argv); });
}
