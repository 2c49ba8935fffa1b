// One process of a training that several do together, for run.py: worker OUT [--rate R] [--examples
// N] [--stop-at STEP] [--die-at STEP] [--hang-in STEP] [--timeout SECONDS]
//
// Writes the losses of the steps and the parameters as they end into OUT.<rank>, as JSON.
#include "train/modules.h"

#include <actswap/actswap.h>

#include <torch/script.h>

#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <iostream>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace actswap {
namespace {

constexpr std::int64_t kBatch = 12;

// A batch norm that gathers statistics or does not, dropout or none, and a parameter that nothing
// reads.
torch::jit::Module make_net(double dropout) {
  torch::manual_seed(7);
  auto module = make_module({{"w", torch::randn({6, 32})},
                             {"v", torch::randn({32, 3})},
                             {"scale", torch::ones({32})},
                             {"shift", torch::zeros({32})},
                             {"unused", torch::ones({4})}},
                            "  return x\n");
  module.register_buffer("mean", torch::zeros({32}));
  module.register_buffer("variance", torch::ones({32}));
  module.define(
      "def net(self, x):\n"
      "  h = torch.matmul(x, self.w)\n"
      "  h = torch.batch_norm(h, self.scale, self.shift, self.mean, self.variance, " +
      std::string(dropout > 0.0 ? "self.training" : "False") +
      ", 0.1, 1e-5, False)\n"
      "  h = torch.dropout(torch.mish(h), " +
      std::to_string(dropout) +
      ", self.training)\n"
      "  return torch.matmul(h, self.v)\n");
  torch::jit::Module root("__torch__.root");
  root.register_attribute("training", c10::BoolType::get(), true);
  root.register_module("net", module);
  root.define("def forward(self, x):\n  return self.net.net(x)\n");
  return root;
}

int work(const std::string& out, const std::map<std::string, double>& given) {
  const auto value = [&](const std::string& name, double other) {
    const auto found = given.find(name);
    return found == given.end() ? other : found->second;
  };
  const auto ranks =
      ranks_of_environment(std::chrono::seconds(static_cast<std::int64_t>(value("--timeout", 20))));
  const int rank = ranks ? ranks->rank() : 0;
  const bool is_last = ranks && rank == ranks->size() - 1;
  auto module = make_net(value("--dropout", 0.0));
  const auto data =
      regression(static_cast<std::int64_t>(is_last ? value("--examples", 125) : 125), 6);
  auto options = plain_options(Signal::mse);
  options.optimizer = OptimizerKind::adamw;
  options.learning_rate = 0.01;
  options.batch_size = kBatch;
  options.epochs = 5;
  options.average = 0.9;
  options.seed = 3;
  options.keeps_statistics = value("--dropout", 0.0) == 0.0;
  options.ranks = ranks;
  nlohmann::json result;
  TrainCallbacks callbacks;
  std::int64_t step = 0;
  callbacks.on_step = [&](const Progress& progress) {
    step = progress.step;
    result["losses"].push_back(progress.loss);
    if (is_last && static_cast<double>(step) == value("--die-at", 0)) {
      std::_Exit(9);
    }
  };
  callbacks.should_stop = [&] {
    return is_last && value("--stop-at", 0) > 0 &&
           static_cast<double>(step) >= value("--stop-at", 0);
  };
  if (is_last && value("--hang-in", 0) > 0) {  // in the step's backward pass
    for (const auto& parameter : module.parameters()) {
      parameter.register_hook([&](const torch::Tensor& /*gradient*/) {
        if (static_cast<double>(step) == value("--hang-in", 0)) {
          ::pause();
        }
      });
    }
  }
  try {
    train(module, {}, data, no_ramp(), {}, options, callbacks);
  } catch (const Interrupted&) {
    result["stopped"] = step;
  }
  for (const auto& parameter : module.named_parameters()) {
    const auto values = parameter.value.detach().contiguous();
    result["parameters"][parameter.name] =
        std::vector<float>(values.data_ptr<float>(), values.data_ptr<float>() + values.numel());
  }
  for (const auto& buffer : module.named_buffers()) {
    const auto values = buffer.value.contiguous();
    result["buffers"][buffer.name] =
        std::vector<float>(values.data_ptr<float>(), values.data_ptr<float>() + values.numel());
  }
  std::ofstream(out + "." + std::to_string(rank)) << result;
  return 0;
}

}  // namespace
}  // namespace actswap

int main(int count, char** words) {
  std::map<std::string, double> given;
  for (int i = 2; i + 1 < count; i += 2) {
    given[words[i]] = std::stod(words[i + 1]);
  }
  try {
    return actswap::work(words[1], given);
  } catch (const actswap::Error& error) {
    std::cerr << "error: " << error.what() << "\n";
    return static_cast<int>(error.kind());
  }
}
