// What training makes small: a weighted sum of signals.
//
//   outputs                       the original's outputs are the labels, each by its kind
//   distil                        the same for logits
//   distil+0.5*cross-entropy      and half the weight for the data's
//   distil+3*layers               and what the original's layers give
//   module:focal.pt               a TorchScript module that computes the loss
#pragma once

#include <actswap/base/export.h>

#include <string>
#include <string_view>
#include <vector>

namespace actswap {

enum class Signal {
  cross_entropy,  ///< logits N x C (x ...) against class indices N (x ...)
  mse,            ///< mean squared error against a tensor of the output's shape
  outputs,        ///< what the outputs lack against the original's, as a share: by divergence,
            ///< squared error or cosine, as suits the kind of each (output_distance), mean over
            ///< the tensors that can be learnt; no target needed. Needs TrainOptions::outputs
  distil,         ///< divergence of the softmaxes of output and original's output at a temperature
                  ///< (times its square), for logits; no target needed
  distil_mse,     ///< mean squared error against the original's output; no target needed
  distil_cosine,  ///< 1 - cosine of output and original's output over the last dimension, for
                  ///< embeddings; no target needed
  sites,          ///< mean squared error of what each blend puts out against the original's
                  ///< activation at that site, over the latter's variance, mean over the sites; no
                  ///< target needed. Both models must report at their blends
                  ///< (Retargeter::observe_blends)
  layers,         ///< what the layers behind the blends lack against the original's, as a share of
                  ///< its variance, mean over the layers (LayerErrors in
                  ///< calibrate/layer_errors.h has the formula); no target needed. Both models must
                  ///< have the same blends, the original's at t = 0, and run as in eval mode
                  ///< (TrainOptions::keeps_statistics)
  module,         ///< a TorchScript module, called with the model's outputs and then the targets,
                  ///< all tensors; it gives a number
};

struct Term {
  Signal signal = Signal::distil;
  double weight = 1.0;    ///< > 0
  std::string path = {};  ///< of the file of Signal::module
};

struct ACTSWAP_API Loss {
  std::vector<Term> terms;

  Loss(Signal signal) : terms{{signal}} {}  // NOLINT(google-explicit-constructor): a sum of one
  explicit Loss(std::vector<Term> several) : terms(std::move(several)) {}

  bool has(Signal signal) const;
  /// Whether a signal compares with a target from the data. (A module may take targets or not.)
  bool needs_target() const;
  /// Whether a signal compares with what the original gives.
  bool needs_original() const;
  /// The other terms; outputs where there are none.
  Loss without(Signal signal) const;
  /// @throws UsageError for no term, a weight that is not above 0, a module without a file.
  void validate() const;
};

/// "cross-entropy", "mse", "outputs", "distil", "distil-mse", "distil-cosine", "sites", "layers",
/// "module:PATH", with "WEIGHT*" before them and "+" between them. @throws UsageError
ACTSWAP_API Loss parse_loss(std::string_view text);
ACTSWAP_API std::string to_string(const Loss& loss);

}  // namespace actswap
