#include <actswap/run/random_numbers.h>

#include <ATen/CPUGeneratorImpl.h>
#include <torch/script.h>

#include <mutex>

namespace actswap {

namespace {

torch::Tensor state_now() {
  auto generator = at::detail::getDefaultCPUGenerator();
  const std::lock_guard<std::mutex> lock(generator.mutex());
  return generator.get_state();
}

void set_state(const torch::Tensor& state) {
  auto generator = at::detail::getDefaultCPUGenerator();
  const std::lock_guard<std::mutex> lock(generator.mutex());
  generator.set_state(state);
}

}  // namespace

RandomNumbers::RandomNumbers(std::uint64_t seed) : before_(state_now()) {
  {
    auto generator = at::detail::getDefaultCPUGenerator();
    const std::lock_guard<std::mutex> lock(generator.mutex());
    generator.set_current_seed(seed);
  }
  seeded_ = state_now();
}

RandomNumbers::~RandomNumbers() {
  set_state(before_);
}

bool RandomNumbers::are_drawn() const {
  return !torch::equal(state_now(), seeded_);
}

RandomPosition::RandomPosition() : state_(state_now()) {}

void RandomPosition::take_up() const {
  set_state(state_);
}

}  // namespace actswap
