#include <actswap/archive/check.h>
#include <actswap/base/error.h>
#include <actswap/base/files.h>
#include <actswap/base/libtorch_error.h>
#include <actswap/export/export_model.h>
#include <actswap/export/mapped_load.h>
#include <actswap/export/provenance.h>
#include <actswap/export/save_module.h>
#include <actswap/graph/blend.h>
#include <actswap/graph/eval_mode.h>
#include <actswap/graph/insert.h>
#include <actswap/graph/kept_state.h>
#include <actswap/graph/walk.h>

#include <torch/csrc/jit/api/function_impl.h>
#include <torch/csrc/jit/ir/constants.h>
#include <torch/csrc/jit/runtime/graph_executor.h>

#include <algorithm>
#include <cmath>

namespace actswap {

namespace jit = torch::jit;

namespace {

constexpr char kSelfTest[] = "actswap/self_test.pt";

// For one run it takes longer to optimise the graphs than to interpret them as they are.
std::vector<torch::Tensor> run_in_eval(jit::Module& module,
                                       const std::vector<torch::Tensor>& inputs) {
  const torch::NoGradGuard no_grad;
  const jit::GraphOptimizerEnabledGuard as_they_are(false);
  const KeptState kept(module);
  const EvalMode eval(module);
  return run_model(module, copy_tensors(inputs));
}

Verification compare_outputs(const std::vector<torch::Tensor>& expected,
                             const std::vector<torch::Tensor>& found, double tolerance) {
  Verification result;
  result.outputs = static_cast<std::int64_t>(expected.size());
  if (expected.size() != found.size()) {
    result.reason = "expected " + std::to_string(expected.size()) + " output tensors, but got " +
                    std::to_string(found.size());
    return result;
  }
  for (std::size_t i = 0; i < expected.size(); ++i) {
    if (expected[i].sizes() != found[i].sizes()) {
      result.reason = "output " + std::to_string(i) + " has another shape";
      return result;
    }
    if (expected[i].numel() == 0) {
      continue;
    }
    const auto wanted = expected[i].to(torch::kDouble);
    const auto actual = found[i].to(torch::kDouble);
    if (!torch::equal(wanted.isfinite(), actual.isfinite())) {
      result.reason = "output " + std::to_string(i) + " is not finite in the same places";
      return result;
    }
    const auto finite = wanted.isfinite();
    if (!finite.any().item<bool>()) {
      continue;
    }
    const auto difference = (wanted - actual).masked_select(finite).abs().max().item<double>();
    const auto scale = wanted.masked_select(finite).abs().max().item<double>();
    result.max_abs_diff = std::max(result.max_abs_diff, difference);
    result.max_rel_diff =
        std::max(result.max_rel_diff, difference == 0.0 ? 0.0 : difference / scale);
  }
  result.verified = result.max_rel_diff <= tolerance;
  if (!result.verified) {
    result.reason = "the largest relative difference is " + std::to_string(result.max_rel_diff) +
                    ", more than " + std::to_string(tolerance);
  }
  return result;
}

// Tuples, which Python's torch.load reads with weights_only too; a typed list or dict it does not.
std::string pack_self_test(const std::vector<torch::Tensor>& inputs,
                           const std::vector<torch::Tensor>& outputs) {
  const auto tuple = [](const std::vector<torch::Tensor>& tensors) {
    std::vector<c10::IValue> values;
    values.reserve(tensors.size());
    for (const auto& tensor : tensors) {
      values.emplace_back(tensor.detach().contiguous().clone());
    }
    return c10::ivalue::Tuple::create(std::move(values));
  };
  const auto bytes = jit::pickle_save(c10::ivalue::Tuple::create(tuple(inputs), tuple(outputs)));
  return {bytes.begin(), bytes.end()};
}

// Writes `module`, in eval mode, loads what was written and compares it with `expected`.
Verification write_verified(jit::Module module, jit::Module& expected,
                            std::map<std::string, std::string> extra_files, const std::string& path,
                            const ExportOptions& options, const std::string& what) {
  module.eval();
  const auto [inputs, outputs] = options.probe_inputs.empty()
                                     ? guess_probe(expected)
                                     : run_probe(expected, options.probe_inputs);
  if (!inputs.empty()) {
    extra_files[kSelfTest] = pack_self_test(inputs, outputs);
  }
  Verification result;
  write_atomically(path, [&](const std::string& temporary) {
    save_module(module, temporary, {extra_files.begin(), extra_files.end()});
    auto flushing = flush_in_background(temporary);
    auto written = load_mapped(temporary);
    if (inputs.empty()) {
      const auto devices = devices_in_code(expected);
      result.reason = "no probe inputs: none of the guessed shapes fits the model" +
                      (devices.empty() ? "" : ", whose code names the device " + devices);
      return;
    }
    result = compare_outputs(outputs, run_in_eval(written, inputs), options.tolerance);
    if (!result.verified) {
      throw VerificationError("The " + what + " differs from what it must compute: " +
                              result.reason + "; '" + path + "' was not written");
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

double insertion_tolerance(const Plan& plan, const Model& model) {
  constexpr double kEqual = 1e-5;
  constexpr double kFloat = 1e-3;
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

Probe guess_probe(jit::Module& module) {
  const auto parameters = module.parameters();
  if (argument_names(module).size() != 1 || parameters.size() == 0) {
    return {};
  }
  auto generator = torch::make_generator<at::CPUGeneratorImpl>(std::uint64_t{0});
  std::vector<torch::Tensor> guesses;
  for (const auto& parameter : parameters) {
    if (parameter.numel() == 0) {
      continue;  // says nothing of the inputs
    }
    const auto floats = torch::TensorOptions().dtype(parameter.dtype());
    const auto draw = [&](const std::vector<std::int64_t>& shape) {
      guesses.push_back(torch::randn(shape, generator).to(floats));
    };
    if (parameter.dim() == 4) {
      for (const std::int64_t side : {32, 28, 64, 224}) {
        draw({2, parameter.size(1), side, side});
      }
      break;
    }
    if (parameter.dim() == 3) {
      draw({2, parameter.size(1), 128});
      break;
    }
    if (parameter.dim() == 2) {
      draw({2, parameter.size(1)});
      draw({2, 8, parameter.size(1)});
      guesses.push_back(torch::randint(parameter.size(0), {2, 8}, generator, torch::kInt64));
      break;
    }
  }
  for (const auto& guess : guesses) {
    try {
      auto outputs = run_in_eval(module, {guess});
      if (!outputs.empty()) {
        return {{guess}, std::move(outputs)};
      }
    } catch (const UsageError&) {
      continue;  // the next guess
    }
  }
  return {};
}

std::vector<torch::Tensor> guess_inputs(jit::Module& module) {
  return guess_probe(module).inputs;
}

Probe run_probe(jit::Module& module, const std::vector<torch::Tensor>& inputs) {
  return {inputs, run_in_eval(module, inputs)};
}

Verification compare_with(const Probe& expected, jit::Module& model, double tolerance) {
  return compare_outputs(expected.outputs, run_in_eval(model, expected.inputs), tolerance);
}

Verification compare_models(jit::Module& model, jit::Module& other,
                            const std::vector<torch::Tensor>& inputs, double tolerance) {
  return compare_with(run_probe(model, inputs), other, tolerance);
}

Verification export_model(Retargeter& retargeter, const std::string& path,
                          const ExportOptions& options) {
  auto expected = recompile(retargeter.module());
  for_each_blend(expected, [](jit::Module& blend) { blend.setattr("t", 1.0); });
  auto extra_files = retargeter.original().extra_files;
  extra_files[kProvenanceFile] = provenance_json(retargeter, options.provenance);
  return write_verified(collapsed(retargeter.module()), expected, extra_files, path, options,
                        "export");
}

Verification export_blended(const Model& blended, const std::string& path,
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
  auto extra_files = blended.extra_files;
  extra_files[kProvenanceFile] = collapsed_provenance_json(blended, options.provenance);
  return write_verified(collapsed(blended.module), expected, extra_files, path, options, "export");
}

Verification save_blended(Retargeter& retargeter, const std::string& path,
                          const ExportOptions& options, double t) {
  if (t != 0.0 && t != 1.0) {
    throw UsageError("Expected blends at t = 0 or 1, but got " + std::to_string(t));
  }
  auto expected = t == 0.0 ? recompile(retargeter.original().module) : retargeter.finish();
  auto extra_files = retargeter.original().extra_files;
  extra_files[kProvenanceFile] = provenance_json(retargeter, options.provenance);
  auto blended = recompile(retargeter.module());
  set_code(blended, BlendCode::stock);
  for_each_blend(blended, [&](jit::Module& blend) { blend.setattr("t", t); });
  auto checking = options;
  checking.tolerance =
      std::max(checking.tolerance, insertion_tolerance(retargeter.plan(), retargeter.original()));
  return write_verified(blended, expected, extra_files, path, checking, "blended model");
}

Verification verify_file(const std::string& path, double tolerance) {
  auto model = load(path);
  const auto stored = model.extra_files.find(kSelfTest);
  if (stored == model.extra_files.end()) {
    throw FileError("'" + path +
                    "' holds no self-test: it was not exported by actswap, or without "
                    "probe inputs; compare it with another model by --against");
  }
  std::vector<torch::Tensor> inputs;
  std::vector<torch::Tensor> outputs;
  try {
    check_tensor_file(ZipArchive(stored->second, path));
    const auto content = jit::pickle_load({stored->second.begin(), stored->second.end()}).toTuple();
    const auto tensors = [&](std::size_t part) {
      std::vector<torch::Tensor> values;
      for (const auto& value : content->elements().at(part).toTupleRef().elements()) {
        values.push_back(value.toTensor());
      }
      return values;
    };
    inputs = tensors(0);
    outputs = tensors(1);
  } catch (const std::exception&) {
    throw FileError("The self-test in '" + path + "' is damaged: it cannot be read");
  }
  return compare_outputs(outputs, run_in_eval(model.module, inputs), tolerance);
}

}  // namespace actswap
