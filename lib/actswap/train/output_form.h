// What kind of values a model gives, and how two models' values are compared: the one place that
// decides it, for the loss and for measures.
#pragma once

#include <actswap/base/export.h>

#include <torch/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace actswap {

enum class OutputKind {
  ignored,            ///< integers, bools, complex numbers, what is constant: nothing is learnt
  values,             ///< a regression, boxes, maps, scores that each lie in [0, 1]
  probabilities,      ///< of classes: not below 0, with sum 1
  log_probabilities,  ///< their logarithms
  logits,             ///< of classes, as labels or --class-dim say
  scores,             ///< logits or values: nothing tells which
  embeddings,         ///< vectors of length 1
};

/// Of one tensor that a model gives. All comparisons are shares: 0 for the original, about 1 for a
/// model that gives the original's mean whatever it is asked.
struct OutputForm {
  OutputKind kind = OutputKind::ignored;
  /// Where classes, channels or the elements of vectors are, counted from the front; 0: there is no
  /// such dimension.
  std::int64_t dim = 0;
  std::vector<std::int64_t> shape = {};  ///< of the outputs that it was found on
  /// Of values and scores: what squared errors are multiplied with, which broadcasts against the
  /// tensor. The inverse of the variance of a channel of dimension `dim`, but of all channels that
  /// lie in [0, 1] together; where there are both sorts, each sort counts as one half.
  torch::Tensor weights = {};
  /// Of classes and embeddings: the divergence of the mean from the original's, > 0.
  double divergence = 1.0;

  bool has_classes() const;
};

struct OutputHints {
  /// Classes are in this dimension of the first output, or where `is_of_all` says so of all that
  /// have it; negative: from the end.
  std::optional<std::int64_t> class_dim = {};
  bool is_of_all = false;
  bool is_regression = false;  ///< of the first output: its target is floating-point
};

/// @param outputs of the original for some examples; 32 and more tell well
/// @param hints what is known beside the values
/// @throws UsageError where the first output has no classes in class_dim
ACTSWAP_API std::vector<OutputForm> find_output_forms(const std::vector<torch::Tensor>& outputs,
                                                      const OutputHints& hints = {});

/// "probabilities in dimension 1: divergence", "values: squared error, by channels of dimension 1"
ACTSWAP_API std::string to_string(const OutputForm& form);

/// What a softmax makes the probabilities of: logits as they are, of probabilities the logarithm.
torch::Tensor logits_of(const torch::Tensor& output, OutputKind kind);

/// How far an output is from the original's, as a share; with a gradient.
///   values      mean of weights (y - y0)^2
///   classes     the divergence of distillation() between the probabilities / form.divergence
///   scores      the mean of these two
///   embeddings  (1 - cosine) / form.divergence
/// @throws UsageError where the shapes differ, from each other or from the form's
ACTSWAP_API torch::Tensor output_distance(const torch::Tensor& output,
                                          const torch::Tensor& original, const OutputForm& form,
                                          double temperature);

}  // namespace actswap
