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

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>

namespace actswap {

namespace {

using torch::Tensor;

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

Tensor blend_cpu(const Tensor& x, double t, c10::string_view source, c10::string_view target) {
  const Pair& pair = find_pair(source, target);
  if (!has_kernel(pair, x)) {
    return pair.composed(x, t);
  }
  const Tensor from = dense(x);
  Tensor out = torch::empty_like(from);
  const void* const in_memory = from.const_data_ptr();
  void* const out_memory = out.mutable_data_ptr();
  in_parallel(out, [&](std::int64_t begin, std::int64_t end) {
    pair.kernel->forward(*element_of(from), t, in_memory, out_memory, begin, end);
  });
  return out;
}

Tensor blend_backward_cpu(const Tensor& grad_out, const Tensor& x, double t,
                          c10::string_view source, c10::string_view target) {
  const Pair& pair = find_pair(source, target);
  const Tensor from = dense(x);
  const Tensor gradient = laid_out_as(from, grad_out);
  Tensor out = torch::empty_like(from);
  const void* const x_memory = from.const_data_ptr();
  const void* const gradient_memory = gradient.const_data_ptr();
  void* const out_memory = out.mutable_data_ptr();
  in_parallel(out, [&](std::int64_t begin, std::int64_t end) {
    pair.kernel->backward(*element_of(from), t, x_memory, gradient_memory, out_memory, begin, end);
  });
  return out;
}

// Everywhere else, and autograd -------------------------------------------------------------------

Tensor blend_composed(const Tensor& x, double t, c10::string_view source, c10::string_view target) {
  return find_pair(source, target).composed(x, t);
}

Tensor blend_meta(const Tensor& x, double, c10::string_view, c10::string_view) {
  return torch::empty_like(x);
}

Tensor backward_meta(const Tensor&, const Tensor& x, double, c10::string_view, c10::string_view) {
  return torch::empty_like(x);
}

Tensor call_blend(const Tensor& x, double t, c10::string_view source, c10::string_view target) {
  static const auto kOperator = c10::Dispatcher::singleton()
                                    .findSchemaOrThrow("actswap::blend", "")
                                    .typed<decltype(blend_cpu)>();
  return kOperator.call(x, t, source, target);
}

Tensor call_backward(const Tensor& grad_out, const Tensor& x, double t, c10::string_view source,
                     c10::string_view target) {
  static const auto kOperator = c10::Dispatcher::singleton()
                                    .findSchemaOrThrow("actswap::blend_backward", "")
                                    .typed<decltype(blend_backward_cpu)>();
  return kOperator.call(grad_out, x, t, source, target);
}

// A hand-written node: torch::autograd::Function keeps saved values in a map by name, which costs
// more than a kernel for some thousand elements.
class BlendBackward final : public torch::autograd::Node {
 public:
  BlendBackward(const Tensor& x, double t, const Pair& pair) : t_(t), pair_(pair), x_(x, false) {}

  std::string name() const override { return "ActswapBlendBackward"; }

  void release_variables() override { x_.reset_data(); }

 protected:
  torch::autograd::variable_list apply(torch::autograd::variable_list&& gradients) override {
    const Tensor& grad_out = gradients[0];
    if (!grad_out.defined()) {
      return {Tensor()};
    }
    const Tensor x = x_.unpack();
    return {at::GradMode::is_enabled()
                ? differentiable(grad_out, x)
                : call_backward(grad_out, x, t_, pair_.source, pair_.target)};
  }

 private:
  // A gradient that can be differentiated again, out of ATen's own.
  Tensor differentiable(const Tensor& grad_out, const Tensor& x) const {
    return torch::autograd::grad({pair_.composed(x, t_)}, {x}, {grad_out}, true, true)[0];
  }

  double t_;
  const Pair& pair_;  // kept for good
  torch::autograd::SavedVariable x_;
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

Tensor blend_autograd(const Tensor& x, double t, c10::string_view source, c10::string_view target) {
  const Pair& pair = find_pair(source, target);
  if (!has_kernel(pair, x)) {
    return pair.composed(x, t);
  }
  const bool needs_gradient = at::GradMode::is_enabled() && x.requires_grad();
  Tensor out;
  {
    const at::AutoDispatchBelowADInplaceOrView below_autograd;
    out = call_blend(x, t, source, target);
  }
  if (needs_gradient) {
    auto node = make_node<BlendBackward>(x, t, pair);
    node->set_next_edges(torch::autograd::collect_next_edges(x));
    torch::autograd::set_history(out, node);
  }
  return out;
}

}  // namespace

TORCH_LIBRARY_FRAGMENT(actswap, library) {
  library.def("blend(Tensor x, float t, str source, str target) -> Tensor");
  library.def(
      "blend_backward(Tensor grad_out, Tensor x, float t, str source, str target) -> Tensor");
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

Tensor blend(const Tensor& x, double t, const std::string& source, const std::string& target) {
  return call_blend(x, t, source, target);
}

}  // namespace actswap
