// Guesses the inputs of a model from its file and its code. A run shows which of them fit.
#pragma once

#include <actswap/archive/recorded_inputs.h>

#include <torch/script.h>

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

namespace actswap {

struct InputGuess {
  std::vector<torch::Tensor> inputs = {};
  std::string origin = {};  ///< "recorded by the trace", "guessed from the layers that read them"
};

/// The most guesses that are made.
constexpr std::size_t kMostGuesses = 60;

/// Offers guesses, the best first, until `fits` says yes or there are no more:
///
///  - the shapes and types that the trace was made with, if the file says so;
///  - shapes that suit the layers and tables reading each input (input_evidence): the sizes that
///    these need, and for open ones two examples, sequences of 8, images of the sizes that the code
///    names and of usual ones; then the same with one example;
///  - such shapes by the first parameter of the model, if the code says nothing.
///
/// Numbers are drawn from a generator of their own: floats from N(0, 1), integers below the number
/// of rows of the table that they are looked up in, otherwise 0 and 1.
void guess_inputs(const torch::jit::Module& module, const std::vector<RecordedInput>& recorded,
                  const std::function<bool(const InputGuess&)>& fits);

}  // namespace actswap
