#include <actswap/graph/decompose.h>
#include <actswap/graph/operators.h>
#include <actswap/graph/walk.h>

#include <torch/csrc/jit/api/function_impl.h>
#include <torch/jit.h>

namespace actswap {

namespace jit = torch::jit;

namespace {

// After transformer_encoder_layer_forward of ATen/native/transformers/transformer.cpp.
constexpr char kEncoderLayer[] = R"(
def f(src: Tensor, embed_dim: int, num_heads: int, qkv_weight: Tensor, qkv_bias: Tensor, proj_weight: Tensor, proj_bias: Tensor, use_gelu: bool, norm_first: bool, eps: float, norm_weight_1: Tensor, norm_bias_1: Tensor, norm_weight_2: Tensor, norm_bias_2: Tensor, ffn_weight_1: Tensor, ffn_bias_1: Tensor, ffn_weight_2: Tensor, ffn_bias_2: Tensor, mask: Optional[Tensor], mask_type: Optional[int]) -> Tensor:
    x = src
    if norm_first:
        x = torch.layer_norm(x, [embed_dim], norm_weight_1, norm_bias_1, eps)
    x = torch._native_multi_head_attention(x, x, x, embed_dim, num_heads, qkv_weight, qkv_bias, proj_weight, proj_bias, mask, False, True, mask_type)[0].add_(src)
    if not norm_first:
        x = torch.layer_norm(x, [embed_dim], norm_weight_1, norm_bias_1, eps)
    residual = x
    if norm_first:
        x = torch.layer_norm(x, [embed_dim], norm_weight_2, norm_bias_2, eps)
    x = torch.linear(x, ffn_weight_1, ffn_bias_1)
ACTIVATION
    x = torch.linear(x, ffn_weight_2, ffn_bias_2).add_(residual)
    if not norm_first:
        x = torch.layer_norm(x, [embed_dim], norm_weight_2, norm_bias_2, eps)
    return x
)";

constexpr std::size_t kArguments = 20;
constexpr std::size_t kUseGelu = 7;

// A bool that is a constant, or whether two numbers that are known are equal.
std::optional<bool> known_bool(jit::Value* value) {
  if (const auto constant = jit::toIValue(value)) {
    return constant->toBool();
  }
  const jit::Node* node = value->node();
  if (node->kind() != c10::aten::eq) {
    return std::nullopt;
  }
  const auto a = constant_number(node->input(0));
  const auto b = constant_number(node->input(1));
  return a && b ? std::optional(*a == *b) : std::nullopt;
}

std::string source_of(std::optional<bool> use_gelu) {
  std::string activation =
      "    if use_gelu:\n        x = torch.gelu(x)\n    else:\n        x = torch.relu(x)";
  if (use_gelu) {
    activation = *use_gelu ? "    x = torch.gelu(x)" : "    x = torch.relu(x)";
  }
  std::string source = kEncoderLayer;
  static const std::string kMark = "ACTIVATION";
  return source.replace(source.find(kMark), kMark.size(), activation);
}

}  // namespace

void decompose_fused(jit::Block* block) {
  static const auto kFused = c10::Symbol::fromQualString("aten::_transformer_encoder_layer_fwd");
  for_each_node(block, [](jit::Node* node) {
    if (node->kind() != kFused || node->inputs().size() != kArguments) {
      return;
    }
    const auto unit = jit::compile(source_of(known_bool(node->input(kUseGelu))));
    const auto& function = jit::toGraphFunction(unit->get_function("f"));
    const jit::WithInsertPoint guard(node);
    jit::Value* output =
        jit::insertGraph(*node->owningGraph(), *function.graph(), node->inputs()).at(0);
    node->output()->replaceAllUsesWith(output);
    node->destroy();
  });
}

}  // namespace actswap
