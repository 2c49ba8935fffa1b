// A row of the table, without LibTorch's headers: row NAME X
#include <actswap/activation/activation.h>

#include <cstdlib>
#include <iostream>

int main(int argc, char** argv) {
  if (argc != 3) {
    std::cerr << "expected NAME X\n";
    return 2;
  }
  std::cout << actswap::resolve(argv[1]).value(std::atof(argv[2])) << "\n";
  return 0;
}
