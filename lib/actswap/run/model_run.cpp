#include <actswap/base/clock.h>
#include <actswap/base/error.h>
#include <actswap/base/libtorch_error.h>
#include <actswap/base/out_of_memory.h>
#include <actswap/graph/gradients.h>
#include <actswap/graph/kept_state.h>
#include <actswap/graph/model.h>
#include <actswap/run/model_run.h>
#include <actswap/run/random_numbers.h>

#include <torch/csrc/jit/runtime/graph_executor.h>
#include <torch/script.h>

#include <chrono>
#include <ctime>
#include <sstream>
#include <string>

namespace actswap {

namespace jit = torch::jit;

namespace {

using Clock = std::chrono::steady_clock;

// In milliseconds, of the calling thread.
double processor_time() {
  timespec time{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return 1e3 * static_cast<double>(time.tv_sec) + 1e-6 * static_cast<double>(time.tv_nsec);
}

std::string shapes(const std::vector<torch::Tensor>& tensors) {
  std::ostringstream text;
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    text << (i == 0 ? "" : ", ") << tensors[i].sizes() << " " << tensors[i].dtype();
  }
  return text.str();
}

UsageError not_accepted(const jit::Module& module, const std::string& inputs,
                        const std::string& what) {
  if (is_out_of_memory(what)) {
    throw FileError("Out of memory while running the model on the inputs (" + inputs +
                    "): " + libtorch_cause(what));
  }
  if (const auto devices = devices_in_code(module); !devices.empty()) {
    return UsageError("The model does not run on the CPU: its code names the device " + devices +
                      ", as a trace does that was made there. Trace it on the CPU, or script it "
                      "(LibTorch said: " +
                      libtorch_cause(what) + ")");
  }
  const auto cause = libtorch_cause(what);
  return UsageError("The model does not accept the inputs (" + inputs + "): " + cause +
                    (cause.ends_with("to have 1 channels, but got 3 channels instead")
                         ? "; --grey reads images as one channel"
                         : ""));
}

c10::IValue forward(jit::Module& module, const InputLayout& layout,
                    const std::vector<torch::Tensor>& inputs) {
  const auto described = shapes(inputs);  // the model may write to them
  try {
    return module(layout.packed(inputs));
  } catch (const Error&) {
    throw;  // of ours
  } catch (const c10::Error& error) {
    throw not_accepted(module, described, error.what_without_backtrace());
  } catch (const std::exception& error) {
    throw not_accepted(module, described, error.what());
  }
}

}  // namespace

ModelRun::ModelRun(const jit::Module& module, ModelRunOptions options)
    : module_(module),
      options_(options),
      layout_(module),
      takes_gradients_(takes_gradients(module)) {}

Outputs ModelRun::operator()(const std::vector<torch::Tensor>& inputs, std::uint64_t seed) {
  if (options_.optimizes_graphs && jit::getGraphExecutorOptimize()) {
    return run(inputs, seed, true);
  }
  try {
    return run(inputs, seed, false);
  } catch (const UsageError&) {
    // LibTorch's interpreter loses values in some graphs with loops, unless it has optimised them.
    return run(inputs, seed, true);
  }
}

Outputs ModelRun::run(const std::vector<torch::Tensor>& inputs, std::uint64_t seed,
                      bool optimizes) {
  const torch::AutoGradMode gradients(takes_gradients_ || options_.has_gradients);
  const jit::GraphOptimizerEnabledGuard optimizer(optimizes);
  const KeptState kept(module_);
  const RandomNumbers numbers(seed);
  module_.eval();
  const auto copies = copy_tensors(inputs);
  const double processor = processor_time();
  const auto begin = Clock::now();
  const auto value = forward(module_, layout_, copies);
  milliseconds_ = milliseconds_since(begin);
  processor_milliseconds_ = processor_time() - processor;
  is_random_ = is_random_ || numbers.are_drawn();
  auto outputs = outputs_in(value);
  for (auto& output : outputs) {
    if (output.value.isTensor()) {
      const auto tensor = output.value.toTensor().detach();
      output.value = kept.shares_memory(tensor) ? tensor.clone() : tensor;
    }
  }
  return outputs;
}

void expect_accepted(const std::vector<jit::Module>& modules, const std::vector<std::string>& names,
                     const std::vector<torch::Tensor>& inputs) {
  for (std::size_t i = 0; i < modules.size(); ++i) {
    try {
      ModelRun(modules[i], {.optimizes_graphs = false})(inputs);
    } catch (const UsageError& error) {
      throw UsageError("'" + names.at(i) + "': " + error.what());
    }
  }
}

std::vector<torch::Tensor> run_model(jit::Module& module,
                                     const std::vector<torch::Tensor>& inputs) {
  return tensors_in(forward(module, InputLayout(module), inputs));
}

}  // namespace actswap
