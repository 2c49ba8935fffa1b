#include <actswap/kernel/blend_kernel.h>
#include <actswap/kernel/blend_operator.h>
#include <actswap/kernel/composed_blend.h>

#include <ATen/Parallel.h>
#include <ATen/TensorIterator.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/function.h>
#include <torch/csrc/autograd/functions/utils.h>
#include <torch/csrc/autograd/saved_variable.h>
#include <torch/library.h>

#include <algorithm>
#include <array>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

namespace actswap {

namespace {

using torch::Tensor;
using OptionalTensor = std::optional<Tensor>;
using Gradients = std::tuple<Tensor, Tensor, Tensor, Tensor>;  // of x, a, d, b

// Elements that are worth a thread: some ten microseconds.
constexpr std::int64_t kGrain = 16384;

// Two rows as everything here needs them; made once for each pair of texts.
struct Pair {
  std::string source;
  std::string target;
  std::optional<BlendKernel> kernel;
  ComposedBlend composed;

  Pair(const std::string& source_text, const std::string& target_text)
      : Pair(source_text, target_text, resolve(source_text), resolve(target_text)) {}

 private:
  Pair(const std::string& source_text, const std::string& target_text,
       const ActivationSpec& source_spec, const ActivationSpec& target_spec)
      : source(source_text),
        target(target_text),
        kernel(BlendKernel::find(source_spec, target_spec)),
        composed(source_spec, target_spec) {}
};

const Pair& find_pair(c10::string_view source, c10::string_view target) {
  static std::mutex mutex;
  static std::map<std::pair<std::string, std::string>, Pair> pairs;
  std::pair<std::string, std::string> key(source, target);
  const std::scoped_lock lock(mutex);
  const auto known = pairs.find(key);
  if (known != pairs.end()) {
    return known->second;
  }
  return pairs.try_emplace(key, key.first, key.second).first->second;
}

std::optional<Element> element_of(const Tensor& x) {
  switch (x.scalar_type()) {
    case torch::kFloat:
      return Element::float32;
    case torch::kBFloat16:
      return Element::bfloat16;
    case torch::kHalf:
      return Element::float16;
    case torch::kDouble:
      return Element::float64;
    default:
      return std::nullopt;
  }
}

bool has_kernel(const Pair& pair, const Tensor& x) {
  return pair.kernel && element_of(x) && x.layout() == torch::kStrided &&
         (x.is_cpu() || x.is_meta());
}

// Memory without gaps and overlaps: the tensor itself, or a copy as ATen's operators would lay
// their result out.
Tensor dense(const Tensor& x) {
  return x.is_non_overlapping_and_dense() ? x : torch::empty_like(x).copy_(x);
}

// `x` is laid out as `like`.
Tensor laid_out_as(const Tensor& like, const Tensor& x) {
  return x.strides() == like.strides() && x.scalar_type() == like.scalar_type()
             ? x
             : torch::empty_like(like).copy_(x);
}

void check_shape(const Tensor& x, const OptionalTensor& parameter, const char* name,
                 std::int64_t channel_dim) {
  if (!parameter) {
    return;
  }
  const auto channels = x.dim() == 0 ? 0 : x.size(channel_dim);
  TORCH_CHECK(parameter->dim() == 1 && parameter->size(0) == channels, "actswap::blend: expected ",
              name, " of shape [", channels, "], one for each of x's ", "channels (dimension ",
              channel_dim, "), but got ", parameter->sizes());
}

std::vector<double> numbers(const OptionalTensor& parameter, std::int64_t count, double missing) {
  if (!parameter) {
    return std::vector<double>(static_cast<std::size_t>(count), missing);
  }
  const auto values = parameter->detach().to(torch::kCPU, torch::kDouble).contiguous();
  const auto* first = values.const_data_ptr<double>();
  return {first, first + count};
}

// The calibration along a dense tensor's memory.
std::optional<Channels> channels_of(const Tensor& x, double t,
                                    const CalibrationTensors& calibration) {
  if (!calibration.any()) {
    return std::nullopt;
  }
  const auto dim = calibration.channel_dim;
  check_shape(x, calibration.a, "a", dim);
  check_shape(x, calibration.d, "d", dim);
  check_shape(x, calibration.b, "b", dim);
  const auto count = x.size(dim);
  // A single channel's stride may be anything.
  const auto inner = count > 1 ? x.stride(dim) : std::max<std::int64_t>(1, x.numel());
  return Channels({numbers(calibration.a, count, 1.0), numbers(calibration.d, count, 0.0),
                   numbers(calibration.b, count, 0.0)},
                  inner, std::clamp(t, 0.0, 1.0));
}

// Calls work(begin, end) for parts of a dense tensor's elements, on as many threads as ATen would
// take. at::parallel_for is a template that is serial unless the compiler's OpenMP is switched on,
// and clang's would be another than LibTorch's; the loop of a TensorIterator lies in LibTorch.
template <class Work>
void in_parallel(const Tensor& dense_tensor, const Work& work) {
  const auto numel = dense_tensor.numel();
  if (numel <= kGrain || at::get_num_threads() == 1 || at::in_parallel_region()) {
    return work(std::int64_t{0}, numel);
  }
  auto flat = dense_tensor.as_strided({numel}, {1});
  auto iterator = at::TensorIterator::nullary_op(flat);
  const auto* const first = static_cast<const char*>(dense_tensor.const_data_ptr());
  const auto size = static_cast<std::int64_t>(dense_tensor.element_size());
  iterator.for_each(
      [&](char** data, const std::int64_t*, std::int64_t count) {
        const std::int64_t begin = (data[0] - first) / size;
        work(begin, begin + count);
      },
      kGrain);
}

// The CPU's kernels ---------------------------------------------------------------------------

Tensor blend_cpu(const Tensor& x, double t, c10::string_view source, c10::string_view target,
                 const OptionalTensor& a, const OptionalTensor& d, const OptionalTensor& b,
                 std::int64_t channel_dim) {
  const Pair& pair = find_pair(source, target);
  const CalibrationTensors calibration{a, d, b, channel_dim};
  if (!has_kernel(pair, x)) {
    return pair.composed(x, t, calibration);
  }
  const Tensor from = dense(x);
  Tensor out = torch::empty_like(from);
  const auto channels = channels_of(from, t, calibration);
  const void* const in_memory = from.const_data_ptr();
  void* const out_memory = out.mutable_data_ptr();
  in_parallel(out, [&](std::int64_t begin, std::int64_t end) {
    pair.kernel->forward(*element_of(from), t, channels ? &*channels : nullptr, in_memory,
                         out_memory, begin, end);
  });
  return out;
}

Tensor as_gradient(const std::vector<double>& sums, const OptionalTensor& parameter) {
  return parameter ? torch::tensor(sums, torch::kDouble).to(parameter->options()) : Tensor();
}

Gradients blend_backward_cpu(const Tensor& grad_out, const Tensor& x, double t,
                             c10::string_view source, c10::string_view target,
                             const OptionalTensor& a, const OptionalTensor& d,
                             const OptionalTensor& b, std::int64_t channel_dim) {
  const Pair& pair = find_pair(source, target);
  const Tensor from = dense(x);
  const Tensor gradient = laid_out_as(from, grad_out);
  Tensor out = torch::empty_like(from);
  const auto channels = channels_of(from, t, {a, d, b, channel_dim});
  // One set of sums for each thread, added up in their order.
  std::vector<ChannelGradients> sums;
  if (channels) {
    sums.assign(static_cast<std::size_t>(at::get_num_threads()),
                ChannelGradients(channels->count()));
  }
  const void* const x_memory = from.const_data_ptr();
  const void* const gradient_memory = gradient.const_data_ptr();
  void* const out_memory = out.mutable_data_ptr();
  in_parallel(out, [&](std::int64_t begin, std::int64_t end) {
    auto* const sum = channels ? &sums.at(static_cast<std::size_t>(at::get_thread_num())) : nullptr;
    pair.kernel->backward(*element_of(from), t, channels ? &*channels : nullptr, x_memory,
                          gradient_memory, out_memory, sum, begin, end);
  });
  if (!channels) {
    return {out, Tensor(), Tensor(), Tensor()};
  }
  const auto total = [&](std::vector<double> ChannelGradients::* member) {
    auto all = sums.front().*member;
    for (auto sum = sums.begin() + 1; sum != sums.end(); ++sum) {
      std::transform(all.begin(), all.end(), ((*sum).*member).begin(), all.begin(), std::plus<>());
    }
    return all;
  };
  return {out, as_gradient(total(&ChannelGradients::a), a),
          as_gradient(total(&ChannelGradients::d), d), as_gradient(total(&ChannelGradients::b), b)};
}

// Everywhere else, and autograd -------------------------------------------------------------------

Tensor blend_composed(const Tensor& x, double t, c10::string_view source, c10::string_view target,
                      const OptionalTensor& a, const OptionalTensor& d, const OptionalTensor& b,
                      std::int64_t channel_dim) {
  return find_pair(source, target).composed(x, t, {a, d, b, channel_dim});
}

Tensor blend_meta(const Tensor& x, double, c10::string_view, c10::string_view,
                  const OptionalTensor&, const OptionalTensor&, const OptionalTensor&,
                  std::int64_t) {
  return torch::empty_like(x);
}

Gradients backward_meta(const Tensor&, const Tensor& x, double, c10::string_view, c10::string_view,
                        const OptionalTensor& a, const OptionalTensor& d, const OptionalTensor& b,
                        std::int64_t) {
  const auto like = [](const OptionalTensor& parameter) {
    return parameter ? torch::empty_like(*parameter) : Tensor();
  };
  return {torch::empty_like(x), like(a), like(d), like(b)};
}

Tensor call_blend(const Tensor& x, double t, c10::string_view source, c10::string_view target,
                  const OptionalTensor& a, const OptionalTensor& d, const OptionalTensor& b,
                  std::int64_t channel_dim) {
  static const auto kOperator = c10::Dispatcher::singleton()
                                    .findSchemaOrThrow("actswap::blend", "")
                                    .typed<decltype(blend_cpu)>();
  return kOperator.call(x, t, source, target, a, d, b, channel_dim);
}

Gradients call_backward(const Tensor& grad_out, const Tensor& x, double t, c10::string_view source,
                        c10::string_view target, const CalibrationTensors& calibration) {
  static const auto kOperator = c10::Dispatcher::singleton()
                                    .findSchemaOrThrow("actswap::blend_backward", "")
                                    .typed<decltype(blend_backward_cpu)>();
  return kOperator.call(grad_out, x, t, source, target, calibration.a, calibration.d, calibration.b,
                        calibration.channel_dim);
}

// A node by hand: torch::autograd::Function keeps what is saved in a map by name, which costs more
// than a kernel for some thousand elements.
class BlendBackward final : public torch::autograd::Node {
 public:
  BlendBackward(double t, const Pair& pair, const CalibrationTensors& calibration)
      : t_(t),
        pair_(pair),
        channel_dim_(calibration.channel_dim),
        has_{calibration.a.has_value(), calibration.d.has_value(), calibration.b.has_value()} {}

  void save(const Tensor& x, const CalibrationTensors& calibration) {
    x_ = torch::autograd::SavedVariable(x, false);
    const OptionalTensor* const parameters[] = {&calibration.a, &calibration.d, &calibration.b};
    for (std::size_t i = 0; i < has_.size(); ++i) {
      if (has_[i]) {
        parameters_[i] = torch::autograd::SavedVariable(**parameters[i], false);
      }
    }
  }

  std::string name() const override { return "ActswapBlendBackward"; }

  void release_variables() override {
    x_.reset_data();
    for (auto& parameter : parameters_) {
      parameter.reset_data();
    }
  }

 protected:
  torch::autograd::variable_list apply(torch::autograd::variable_list&& gradients) override {
    if (!gradients[0].defined()) {
      return torch::autograd::variable_list(4);
    }
    const Tensor x = x_.unpack();
    const auto unpack = [&](std::size_t i) {
      return has_[i] ? OptionalTensor(parameters_[i].unpack()) : std::nullopt;
    };
    const CalibrationTensors calibration{unpack(0), unpack(1), unpack(2), channel_dim_};
    auto [grad_x, a, d, b] =
        at::GradMode::is_enabled()
            ? differentiable(gradients[0], x, calibration)
            : call_backward(gradients[0], x, t_, pair_.source, pair_.target, calibration);
    return {grad_x, a, d, b};
  }

 private:
  // Gradients that can be differentiated again, out of ATen's own.
  Gradients differentiable(const Tensor& grad_out, const Tensor& x,
                           const CalibrationTensors& calibration) const {
    std::array<Tensor, 4> inputs = {x, calibration.a.value_or(Tensor()),
                                    calibration.d.value_or(Tensor()),
                                    calibration.b.value_or(Tensor())};
    const auto y = pair_.composed(x, t_, calibration);
    torch::autograd::variable_list wanted;
    for (const auto& input : inputs) {
      if (input.defined() && input.requires_grad()) {
        wanted.push_back(input);
      }
    }
    const auto found = torch::autograd::grad({y}, wanted, {grad_out}, true, true, true);
    auto next = found.begin();
    for (auto& input : inputs) {
      input = input.defined() && input.requires_grad() ? *next++ : Tensor();
    }
    return {inputs[0], inputs[1], inputs[2], inputs[3]};
  }

  double t_;
  const Pair& pair_;  // kept for good
  std::int64_t channel_dim_;
  std::array<bool, 3> has_;
  torch::autograd::SavedVariable x_;
  std::array<torch::autograd::SavedVariable, 3> parameters_;
};

// Nodes are held by std::shared_ptr in older LibTorch, with a function that destroys long chains of
// them without recursion, and by c10::intrusive_ptr in newer.
using NodePointer = decltype(torch::autograd::Edge::function);
template <class Node, class Pointer = NodePointer, class... Arguments>
auto make_node(Arguments&&... arguments) {
  if constexpr (std::is_same_v<Pointer, std::shared_ptr<torch::autograd::Node>>) {
    return std::shared_ptr<Node>(new Node(std::forward<Arguments>(arguments)...),
                                 [](auto* node) { deleteNode(node); });
  } else {
    return c10::make_intrusive<Node>(std::forward<Arguments>(arguments)...);
  }
}

Tensor blend_autograd(const Tensor& x, double t, c10::string_view source, c10::string_view target,
                      const OptionalTensor& a, const OptionalTensor& d, const OptionalTensor& b,
                      std::int64_t channel_dim) {
  const Pair& pair = find_pair(source, target);
  if (!has_kernel(pair, x)) {
    return pair.composed(x, t, {a, d, b, channel_dim});
  }
  const auto needs_gradient = [](const OptionalTensor& tensor) {
    return tensor && tensor->requires_grad();
  };
  if (at::GradMode::is_enabled() &&
      (x.requires_grad() || needs_gradient(a) || needs_gradient(d) || needs_gradient(b))) {
    const CalibrationTensors calibration{a, d, b, channel_dim};
    auto node = make_node<BlendBackward>(t, pair, calibration);
    node->set_next_edges(torch::autograd::collect_next_edges(
        x, a.value_or(Tensor()), d.value_or(Tensor()), b.value_or(Tensor())));
    node->save(x, calibration);
    Tensor out;
    {
      const at::AutoDispatchBelowADInplaceOrView below_autograd;
      out = call_blend(x, t, source, target, a, d, b, channel_dim);
    }
    torch::autograd::set_history(out, node);
    return out;
  }
  const at::AutoDispatchBelowADInplaceOrView below_autograd;
  return call_blend(x, t, source, target, a, d, b, channel_dim);
}

}  // namespace

TORCH_LIBRARY_FRAGMENT(actswap, library) {
  library.def(
      "blend(Tensor x, float t, str source, str target, Tensor? a=None, Tensor? d=None, "
      "Tensor? b=None, int channel_dim=1) -> Tensor");
  library.def(
      "blend_backward(Tensor grad_out, Tensor x, float t, str source, str target, Tensor? a, "
      "Tensor? d, Tensor? b, int channel_dim) -> (Tensor, Tensor, Tensor, Tensor)");
}

TORCH_LIBRARY_IMPL(actswap, CPU, library) {
  library.impl("blend", blend_cpu);
  library.impl("blend_backward", blend_backward_cpu);
}

TORCH_LIBRARY_IMPL(actswap, Meta, library) {
  library.impl("blend", blend_meta);
  library.impl("blend_backward", backward_meta);
}

TORCH_LIBRARY_IMPL(actswap, CompositeExplicitAutograd, library) {
  library.impl("blend", blend_composed);
}

TORCH_LIBRARY_IMPL(actswap, Autograd, library) {
  library.impl("blend", blend_autograd);
}

Tensor blend(const Tensor& x, double t, const std::string& source, const std::string& target,
             const OptionalTensor& a, const OptionalTensor& d, const OptionalTensor& b,
             std::int64_t channel_dim) {
  return call_blend(x, t, source, target, a, d, b, channel_dim);
}

}  // namespace actswap
