#include <actswap/base/error.h>
#include <actswap/export/find_probe.h>
#include <actswap/export/self_test.h>

namespace actswap {

FoundProbe find_probe(const torch::jit::Module& module, const Model& model) {
  const auto stored = model.extra_files.find(kSelfTestFile);
  if (stored != model.extra_files.end()) {
    try {
      auto probe = run_probe(module, unpack_self_test(stored->second, model.path).inputs);
      if (has_evidence(probe.outputs)) {
        probe.origin = "those of the self-test in the model's file";
        return {.probe = std::move(probe), .is_data = true};
      }
    } catch (const Error&) {  // NOLINT(bugprone-empty-catch): it is damaged or of another model
    }
  }
  return {.probe = guess_probe(module, model.recorded_inputs)};
}

}  // namespace actswap
