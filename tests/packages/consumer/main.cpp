// The installed library from the outside: consumer MODEL OUTPUT
#include <actswap/actswap.h>

#include <iostream>

int main(int argc, char** argv) {
  if (argc != 3) {
    std::cerr << "expected MODEL OUTPUT\n";
    return 2;
  }
  try {
    const auto model = actswap::load(argv[1]);
    const auto plan = actswap::plan(model, {.to = "relu"});
    actswap::Retargeter swap(model, plan);
    swap.set_blend(0.5);
    const auto verification = actswap::export_model(swap, argv[2]);
    std::cout << "sites swapped: " << plan.swapped()
              << ", verified: " << (verification.verified ? "yes" : "no") << "\n";
    // An exception of the library is one type on both sides of its border.
    try {
      actswap::load("missing.pt");
    } catch (const actswap::Error& error) {
      std::cout << "error: " << error.what() << "\n";
    }
  } catch (const std::exception& error) {
    std::cerr << error.what() << "\n";
    return 1;
  }
  return 0;
}
