// The random numbers that a model draws.
#pragma once

#include <torch/types.h>

#include <cstdint>

namespace actswap {

/// While this lives, the default generator of the CPU starts from a seed; then it continues where
/// it was before, so that runs in between do not change the caller's random numbers.
class RandomNumbers {
 public:
  explicit RandomNumbers(std::uint64_t seed);
  ~RandomNumbers();
  RandomNumbers(const RandomNumbers&) = delete;
  RandomNumbers& operator=(const RandomNumbers&) = delete;

  /// Whether any have been drawn since this began.
  bool are_drawn() const;

 private:
  torch::Tensor before_;
  torch::Tensor seeded_;
};

/// Where the default generator of the CPU is now: for two models that draw the same numbers, one
/// after the other, when each run draws others.
class RandomPosition {
 public:
  RandomPosition();
  /// One that was saved.
  explicit RandomPosition(const torch::Tensor& state) : state_(state) {}
  /// Goes back there.
  void take_up() const;
  const torch::Tensor& state() const { return state_; }

 private:
  torch::Tensor state_;
};

}  // namespace actswap
