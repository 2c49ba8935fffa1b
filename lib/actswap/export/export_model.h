// Verify, then write: an exported file appears whole and checked, or not at all.
//
// Extra files in the archive: "actswap/provenance.json" (what was made from what, how, by which
// versions) and "actswap/self_test.pt" (probe inputs and the outputs expected for them).
#pragma once

#include <actswap/base/export.h>
#include <actswap/graph/retarget.h>

#include <map>
#include <string>
#include <vector>

namespace actswap {

struct ExportOptions {
  std::vector<torch::Tensor> probe_inputs = {};  ///< empty: guessed from the model's first layer
  /// Largest difference allowed, relative to the largest magnitude of the expected output.
  double tolerance = 1e-5;
  std::map<std::string, std::string> provenance = {};  ///< further entries for provenance.json
};

struct Verification {
  bool verified = false;  ///< false with a reason where no probe input could be found
  std::string reason = {};
  double max_abs_diff = 0.0;
  double max_rel_diff = 0.0;  ///< max_abs_diff / max(|expected|)
  std::int64_t outputs = 0;   ///< tensors compared
};

/// Collapses the blends, writes a temporary file, loads that file afresh, compares its outputs with
/// those of the blended model at t = 1, and renames it to `path`.
/// @throws VerificationError where they differ (nothing is left behind), FileError where the file
///   cannot be written.
ACTSWAP_API Verification export_model(Retargeter& retargeter, const std::string& path,
                                      const ExportOptions& options = {});

/// The same for a blended model that was loaded from a file, trained elsewhere perhaps. Its blends
/// may be at any t.
/// @throws UsageError where it holds no blends.
ACTSWAP_API Verification export_blended(const Model& blended, const std::string& path,
                                        const ExportOptions& options = {});

/// Writes the model with its blends in place, in stock operators whatever the retargeter's are, for
/// a training loop that does not know this library; checked to give the original's outputs at t = 0
/// where probe inputs are known. A calibrated model is written with its blends at t = 1, where it
/// was fitted: that is what it is checked at, and no other t means anything in it.
/// @param t 0, or 1 after a calibration
/// @throws as export_model
ACTSWAP_API Verification save_blended(Retargeter& retargeter, const std::string& path,
                                      const ExportOptions& options = {}, double t = 0.0);

/// How far a blended model at t = 0 may be from the original, relative to the largest output. Equal
/// operators give equal results; where a hand-written form became ATen's operator it rounds
/// otherwise, and layers amplify that.
double insertion_tolerance(const Plan& plan, const Model& model);

/// Replays the self-test stored in an exported file.
/// @throws FileError where the file has none.
ACTSWAP_API Verification verify_file(const std::string& path, double tolerance = 1e-5);

/// Inputs, and what a model gives for them in eval mode.
struct Probe {
  std::vector<torch::Tensor> inputs = {};
  std::vector<torch::Tensor> outputs = {};
};

/// @throws UsageError where the model rejects the inputs.
ACTSWAP_API Probe run_probe(torch::jit::Module& module, const std::vector<torch::Tensor>& inputs);

/// Compares what the model gives with what another gave.
ACTSWAP_API Verification compare_with(const Probe& expected, torch::jit::Module& model,
                                      double tolerance);

/// Compares two models on the same inputs.
ACTSWAP_API Verification compare_models(torch::jit::Module& model, torch::jit::Module& other,
                                        const std::vector<torch::Tensor>& inputs, double tolerance);

/// Inputs that the model accepts, guessed from its first parameter, and its outputs; empty where
/// none of the guesses runs.
ACTSWAP_API Probe guess_probe(torch::jit::Module& module);

/// The inputs alone.
ACTSWAP_API std::vector<torch::Tensor> guess_inputs(torch::jit::Module& module);

}  // namespace actswap
