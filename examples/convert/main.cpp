#include <actswap/actswap.h>

#include <iostream>

int main() try {
  const auto model = actswap::load("model.pt");
  const auto data = actswap::load_data("inputs.pt", actswap::argument_names(model.module));
  // Calibrates, verifies and writes; throws, and writes nothing, where outputs differ.
  const auto run = actswap::convert(model, actswap::plan(model, {.to = "relu"}),
                                    {.output = "relu.pt", .calibration_data = data});
  std::cout << actswap::summary_table(run);
} catch (const actswap::Error& error) {
  std::cerr << error.what() << "\n";
  return static_cast<int>(error.kind());
}
