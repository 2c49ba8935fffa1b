// Converts many models in one process, for models.py.
//
//   convert_many        reads one JSON object a line, answers each with one
//
// A request has the paths `model`, `inputs` (a tuple of tensors by torch.save) and `out` (what is
// written begins with it), the target `to`, the names `sources` and the flag `calibrate`. The
// answer has the `sites` with what was planned for each, and, where one is swapped:
//
//   OUT.start.pt    what the blended model gives at t = 0 (by pickle_save)
//   OUT.export.pt   the export; `verified`, `reason` and `difference` say what its check found
//
// Where a step fails the answer has its name as `step`, the message as `error` and the kind of
// error as `kind`: "usage", "file", "verification", or "other", which is a bug.
#include <actswap/base/error.h>
#include <actswap/calibrate/calibrate.h>
#include <actswap/data/dataset.h>
#include <actswap/data/load.h>
#include <actswap/export/export_model.h>
#include <actswap/graph/plan.h>
#include <actswap/graph/retarget.h>

#include <torch/csrc/jit/runtime/graph_executor.h>
#include <torch/csrc/jit/serialization/pickle.h>
#include <torch/script.h>
#include <nlohmann/json.hpp>

#include <cstdio>
#include <exception>
#include <fstream>
#include <iostream>
#include <string>
#include <vector>

namespace {

using nlohmann::json;

std::vector<torch::Tensor> read_inputs(const std::string& path) {
  std::vector<torch::Tensor> inputs;
  for (auto& [name, tensor] : actswap::read_tensors(path)) {
    inputs.push_back(std::move(tensor));
  }
  return inputs;
}

json site_json(const actswap::PlannedSite& planned) {
  const auto& site = planned.site;
  return {{"id", site.id},
          {"module", site.module},
          {"method", site.method},
          {"ordinal", site.ordinal},
          {"activation", site.activation.to_string()},
          {"form", actswap::to_string(site.form)},
          {"shared_with", site.shared_with},
          {"obstacle", site.obstacle},
          {"swapped", planned.target.has_value()},
          {"reason", planned.reason}};
}

c10::IValue outputs_of(torch::jit::Module& module, const std::vector<torch::Tensor>& inputs) {
  const auto copies = actswap::copy_tensors(inputs);
  return module.forward({copies.begin(), copies.end()});
}

void write_outputs(torch::jit::Module& module, const std::vector<torch::Tensor>& inputs,
                   const std::string& path) {
  const torch::NoGradGuard no_grad;
  c10::IValue outputs;
  try {
    outputs = outputs_of(module, inputs);
  } catch (const std::exception&) {  // the interpreter loses values of some graphs with loops
    const torch::jit::GraphOptimizerEnabledGuard optimised(true);
    outputs = outputs_of(module, inputs);
  }
  const auto bytes = torch::jit::pickle_save(outputs);
  std::ofstream(path, std::ios::binary)
      .write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

// `step` is what is being done, for the answer where it fails.
void convert(const json& request, json& answer, std::string& step) {
  const auto text = [&](const char* key) { return request.at(key).get<std::string>(); };
  step = "load";
  const auto inputs = read_inputs(text("inputs"));
  const auto model = actswap::load(text("model"));
  step = "plan";
  const auto plan = actswap::plan(
      model, {.to = text("to"), .sources = request.at("sources").get<std::vector<std::string>>()});
  for (const auto& planned : plan.sites) {
    answer["sites"].push_back(site_json(planned));
  }
  if (plan.swapped() == 0) {
    return;
  }
  step = "insert";
  actswap::Retargeter swap(model, plan);
  swap.set_blend(0.0);
  swap.module().eval();
  step = "run at t = 0";
  write_outputs(swap.module(), inputs, text("out") + ".start.pt");
  if (request.at("calibrate").get<bool>()) {
    step = "calibrate";
    const actswap::TensorDataset data(inputs, {});
    actswap::calibrate(swap, data, {.passes = 2});
  }
  swap.set_blend(1.0);
  step = "export";
  const auto verification =
      actswap::export_model(swap, text("out") + ".export.pt",
                            {.probe_inputs = inputs, .self_test = actswap::SelfTest::none});
  answer["verified"] = verification.verified;
  answer["reason"] = verification.reason;
  answer["difference"] = verification.max_rel_diff;
}

const char* kind_of(const actswap::Error& error) {
  switch (error.kind()) {
    case actswap::ErrorKind::usage:
      return "usage";
    case actswap::ErrorKind::file:
      return "file";
    case actswap::ErrorKind::verification:
      return "verification";
    default:
      return "other";
  }
}

json answer_to(const json& request) {
  json answer = {{"sites", json::array()}};
  std::string step;
  const auto failed = [&](const char* kind, const std::string& message) {
    answer["step"] = step;
    answer["kind"] = kind;
    answer["error"] = message;
  };
  try {
    convert(request, answer, step);
  } catch (const actswap::Error& error) {
    failed(kind_of(error), error.what());
  } catch (const std::exception& error) {
    failed("other", error.what());
  }
  return answer;
}

}  // namespace

int main() {
  at::set_num_threads(1);
  // LibTorch's optimisations do not know that dropout's output is its input in eval mode.
  torch::jit::setGraphExecutorOptimize(false);
  std::string line;
  while (std::getline(std::cin, line)) {
    std::cout << answer_to(json::parse(line)).dump() << std::endl;  // flushed: somebody waits
  }
  return 0;
}
