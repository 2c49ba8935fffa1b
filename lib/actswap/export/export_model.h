// Verifies a file, then gives it its name: an export appears whole and checked, or not at all.
//
// Extra files in the archive: "actswap/provenance.json" (its original, how it was made, by which
// versions) and "actswap/self_test.pt" (see SelfTest).
#pragma once

#include <actswap/base/export.h>
#include <actswap/export/self_test.h>
#include <actswap/graph/retarget.h>
#include <actswap/run/probe.h>

#include <map>
#include <string>
#include <vector>

namespace actswap {

struct ExportOptions {
  std::vector<torch::Tensor> probe_inputs = {};  ///< empty: those that find_probe finds
  bool probe_is_data = true;      ///< false: guessed already, so that a self-test may hold them
  std::string probe_origin = {};  ///< where they come from, in words; empty: they were given
  /// Largest difference allowed, relative to the largest magnitude of the expected output.
  double tolerance = 1e-5;
  std::map<std::string, std::string> provenance = {};  ///< further entries for provenance.json
  SelfTest self_test = SelfTest::random;               ///< what the file holds for later checks
  bool overwrites_original = false;  ///< the output may be the file that the model was read from
};

struct ExportResult : Verification {
  SelfTest self_test = SelfTest::none;  ///< what is in the file
  /// Why there is none although the options ask for one.
  std::string self_test_reason = {};
  /// The inputs it was verified on: "2x3x320x320:float32, recorded by the trace"; empty: none.
  std::string inputs = {};
};

/// In words: "random inputs".
ACTSWAP_API std::string self_test_text(const ExportResult& result);

/// Collapses the blends, writes a temporary file, loads that file afresh, compares its outputs with
/// those of the blended model at t = 1, on the probe inputs and on those of the self-test, and
/// renames it to `path`.
/// @throws VerificationError if they differ (no file is left behind), FileError if the file cannot
///   be written, UsageError if it is the original's.
ACTSWAP_API ExportResult export_model(Retargeter& retargeter, const std::string& path,
                                      const ExportOptions& options = {});

/// The same for a blended model that was loaded from a file, trained elsewhere perhaps. Its blends
/// may be at any t.
/// @throws UsageError where it holds no blends.
ACTSWAP_API ExportResult export_blended(const Model& blended, const std::string& path,
                                        const ExportOptions& options = {});

/// Writes the model with its blends in place, in stock operators whatever the retargeter's are, for
/// a training loop that does not know this library. If probe inputs are known, it checks that the
/// file gives the original's outputs at t = 0. A calibrated model has its blends at t = 1, where it
/// was fitted; it is checked there, and no other t means anything in it.
/// @param retargeter its own blends do not move
/// @param path the file to write
/// @param options probe inputs, tolerance, self-test
/// @param t 0, or 1 after a calibration
/// @throws as export_model
ACTSWAP_API ExportResult save_blended(Retargeter& retargeter, const std::string& path,
                                      const ExportOptions& options = {}, double t = 0.0);

/// How far a blended model at t = 0 may be from the original, relative to the largest output.
double insertion_tolerance(const Plan& plan, const Model& model);

/// Replays the self-test stored in an exported file.
/// @throws FileError where the file has none.
ACTSWAP_API Verification verify_file(const std::string& path, double tolerance = 1e-5);

}  // namespace actswap
