#include <actswap/base/error.h>
#include <actswap/base/files.h>
#include <actswap/base/libtorch_error.h>
#include <actswap/base/same_file.h>
#include <actswap/export/export_model.h>
#include <actswap/export/find_probe.h>
#include <actswap/export/mapped_load.h>
#include <actswap/export/output_name.h>
#include <actswap/export/provenance.h>
#include <actswap/export/save_module.h>
#include <actswap/graph/blend.h>
#include <actswap/graph/input_layout.h>
#include <actswap/graph/insert.h>
#include <actswap/graph/walk.h>

#include <torch/script.h>

#include <algorithm>
#include <functional>
#include <utility>

namespace actswap {

namespace jit = torch::jit;

namespace {

using Entries = std::map<std::string, std::string>;

// What is written, and what it must compute.
struct Export {
  std::string what;    // in errors: "export"
  jit::Module module;  // to write
  jit::Module expected;
  const Model& original;  // whose file must stay, and whose extra files go along
  std::function<std::string(const Entries&)> provenance;
};

struct ChosenSelfTest {
  SelfTest kind = SelfTest::none;
  Probe probe = {};
  bool is_drawn = false;  // for the self-test, so that the probe is another
  std::string reason = {};
};

ChosenSelfTest random_self_test(Probe probe, bool is_drawn) {
  if (!has_evidence(probe.outputs)) {
    return {.reason = "the model gives nothing finite for random inputs"};
  }
  return {.kind = SelfTest::random, .probe = std::move(probe), .is_drawn = is_drawn};
}

// Random inputs may be such that the model rejects, lengths that do not fit a mask, say.
ChosenSelfTest drawn_self_test(const jit::Module& expected,
                               const std::vector<torch::Tensor>& inputs) {
  try {
    return random_self_test(run_probe(expected, draw_like(inputs)), true);
  } catch (const UsageError&) {
    return {.reason = "the model does not run on random inputs"};
  } catch (const c10::Error&) {
    return {.reason = "actswap cannot draw random inputs of the model's types"};
  }
}

ChosenSelfTest choose_self_test(const Export& made, const Probe& probe, bool is_data,
                                const ExportOptions& options) {
  if (options.self_test == SelfTest::none) {
    return {};
  }
  if (probe.inputs.empty()) {
    return {.reason = "no input is known"};
  }
  if (!is_data) {
    return random_self_test(probe, false);
  }
  return options.self_test == SelfTest::data
             ? ChosenSelfTest{.kind = SelfTest::data, .probe = probe}
             : drawn_self_test(made.expected, probe.inputs);
}

std::string why_no_probe(const Export& made) {
  if (const auto needed = InputLayout(made.expected).needs_values(); !needed.empty()) {
    return "no probe inputs: the model's forward takes " + needed +
           ", without a default, and actswap gives a model tensors alone; wrap it in a module that "
           "gives the value";
  }
  const auto devices = devices_in_code(made.expected);
  return "no probe inputs: the file names none, and none that were guessed fit the model" +
         (devices.empty() ? "; give --input SPEC (for example 1x3x224x224)"
                          : ", whose code names the device " + devices);
}

// Writes the module, in eval mode, loads what was written and compares it with what is expected.
ExportResult write_verified(Export made, const std::string& path, const ExportOptions& options) {
  check_output_name(path);
  if (!options.overwrites_original) {
    check_not_overwritten(path, made.original.path);
  }
  made.module.eval();
  auto found = options.probe_inputs.empty()
                   ? find_probe(made.expected, made.original)
                   : FoundProbe{.probe = run_probe(made.expected, options.probe_inputs),
                                .is_data = options.probe_is_data};
  if (!options.probe_inputs.empty()) {
    found.probe.origin = options.probe_origin;
  }
  const auto& probe = found.probe;
  const auto self_test = choose_self_test(made, probe, found.is_data, options);
  ExportResult result;
  result.inputs = shapes_in_words(probe.inputs) + (probe.origin.empty() ? "" : ", " + probe.origin);
  result.self_test = self_test.kind;
  result.self_test_reason = self_test.reason;

  auto entries = options.provenance;
  entries["self_test"] = to_string(result.self_test);
  auto extra_files = made.original.extra_files;
  extra_files[kProvenanceFile] = made.provenance(entries);
  extra_files.erase(kSelfTestFile);  // of a file that was exported before
  if (result.self_test != SelfTest::none) {
    extra_files[kSelfTestFile] = pack_self_test(self_test.probe);
  }
  write_atomically(path, [&](const std::string& temporary) {
    save_module(made.module, temporary, {extra_files.begin(), extra_files.end()});
    auto flushing = flush_in_background(temporary);
    const auto written = load_mapped(temporary);
    Verification& verification = result;
    if (probe.inputs.empty()) {
      verification.reason = why_no_probe(made);
      return;
    }
    verification = compare_with(probe, written, options.tolerance);
    if (self_test.is_drawn) {
      verification =
          combined(verification, compare_with(self_test.probe, written, options.tolerance));
    }
    if (verification.differs) {
      throw VerificationError("The " + made.what + " differs from what it must compute: " +
                              verification.reason + "; '" + path + "' was not written");
    }
    flushing.get();
  });
  return result;
}

bool is_half(const c10::IValue& value) {
  return value.isTensor() && value.toTensor().defined() && value.toTensor().is_floating_point() &&
         value.toTensor().element_size() == 2;
}

// Parameters, or the constants that those of a frozen model have become.
bool has_half_tensors(const jit::Module& module) {
  const auto parameters = distinct_parameters(module);
  bool found = std::any_of(parameters.begin(), parameters.end(),
                           [](const torch::Tensor& tensor) { return is_half(tensor); });
  for_each_constant(module,
                    [&](const c10::IValue& constant) { found = found || is_half(constant); });
  return found;
}

}  // namespace

std::string self_test_text(const ExportResult& result) {
  switch (result.self_test) {
    case SelfTest::none:
      return "none" + (result.self_test_reason.empty() ? "" : ": " + result.self_test_reason);
    case SelfTest::random:
      return "random inputs";
    case SelfTest::data:
      return "the inputs that it was verified on: examples of the data, where there is some";
  }
  return "";
}

double insertion_tolerance(const Plan& plan, const Model& model) {
  // The same operators in the same order: equal up to how the interpreter fuses them.
  constexpr double kEqual = 1e-5;
  // A hand-written form became ATen's operator, which rounds differently, by a few units of 2^-24
  // (float32); the layers behind it amplify that.
  constexpr double kFloat = 1e-3;
  // The same from a unit of 2^-11 (half) or 2^-8 (bfloat16).
  constexpr double kHalf = 5e-2;
  const bool has_pattern =
      std::any_of(plan.sites.begin(), plan.sites.end(), [](const PlannedSite& planned) {
        return planned.target && planned.site.form == SiteForm::pattern;
      });
  if (!has_pattern) {
    return kEqual;
  }
  return has_half_tensors(model.module) ? kHalf : kFloat;
}

ExportResult export_model(Retargeter& retargeter, const std::string& path,
                          const ExportOptions& options) {
  auto expected = recompile(retargeter.module());
  for_each_blend(expected, [](jit::Module& blend) { blend.setattr("t", 1.0); });
  return write_verified(
      {.what = "export",
       .module = collapsed(retargeter.module()),
       .expected = expected,
       .original = retargeter.original(),
       .provenance = [&](const Entries& entries) { return provenance_json(retargeter, entries); }},
      path, options);
}

ExportResult export_blended(const Model& blended, const std::string& path,
                            const ExportOptions& options) {
  auto expected = recompile(blended.module);
  std::size_t blends = 0;
  for_each_blend(expected, [&](jit::Module& blend) {
    blend.setattr("t", 1.0);
    ++blends;
  });
  if (blends == 0) {
    throw UsageError("'" + blended.path + "' holds no blends; expected a file of `actswap blend`");
  }
  return write_verified(
      {.what = "export",
       .module = collapsed(blended.module),
       .expected = expected,
       .original = blended,
       .provenance =
           [&](const Entries& entries) { return collapsed_provenance_json(blended, entries); }},
      path, options);
}

ExportResult save_blended(Retargeter& retargeter, const std::string& path,
                          const ExportOptions& options, double t) {
  if (t != 0.0 && t != 1.0) {
    throw UsageError("Expected blends at t = 0 or 1, but got " + std::to_string(t));
  }
  auto blended = recompile(retargeter.module());
  set_code(blended, BlendCode::stock);
  for_each_blend(blended, [&](jit::Module& blend) { blend.setattr("t", t); });
  auto checking = options;
  checking.tolerance =
      std::max(checking.tolerance, insertion_tolerance(retargeter.plan(), retargeter.original()));
  return write_verified(
      {.what = "blended model",
       .module = blended,
       .expected = t == 0.0 ? recompile(retargeter.original().module) : retargeter.finish(),
       .original = retargeter.original(),
       .provenance = [&](const Entries& entries) { return provenance_json(retargeter, entries); }},
      path, checking);
}

Verification verify_file(const std::string& path, double tolerance) {
  const auto model = load(path);
  const auto stored = model.extra_files.find(kSelfTestFile);
  if (stored == model.extra_files.end()) {
    throw FileError("'" + path +
                    "' holds no self-test: it was not exported by actswap, or without one "
                    "(--self-test none, or no input known); compare it with another model by "
                    "--against");
  }
  return replay(unpack_self_test(stored->second, path), model.module, tolerance);
}

}  // namespace actswap
