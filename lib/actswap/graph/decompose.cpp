#include <actswap/graph/decompose.h>
#include <actswap/graph/operators.h>
#include <actswap/graph/walk.h>

#include <torch/csrc/jit/api/function_impl.h>
#include <torch/jit.h>

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

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

constexpr std::size_t kLayerArguments = 20;
constexpr std::size_t kUseGelu = 7;

// Of one tensor with itself, after native_multi_head_attention_cpu of
// ATen/native/transformers/attention.cpp, which scales the queries. A mask that is no bool is made
// one. Where no weights are asked for there are none, whatever the schema says.
constexpr char kAttention[] = R"(
def f(x: Tensor, key: Tensor, value: Tensor, embed_dim: int, num_head: int, qkv_weight: Tensor, qkv_bias: Tensor, proj_weight: Tensor, proj_bias: Tensor, mask: Optional[Tensor], need_weights: bool, average_attn_weights: bool, mask_type: Optional[int]) -> Tuple[Tensor, WEIGHTS]:
    n, l = x.size(0), x.size(1)
    size = embed_dim // num_head
    qkv = torch.linear(x, qkv_weight, qkv_bias).view([n, l, 3, num_head, size]).permute([2, 0, 3, 1, 4])
ATTEND
    y = torch.linear(y.transpose(1, 2).reshape([n, l, embed_dim]), proj_weight, proj_bias)
    return y, given
)";

constexpr char kWithoutWeights[] = R"(
    y = torch.scaled_dot_product_attention(qkv[0], qkv[1], qkv[2])
    given: WEIGHTS = None
)";

constexpr char kWithWeights[] = R"(
    scores = torch.matmul(qkv[0] * size ** -0.5, qkv[1].transpose(-2, -1))
    if mask is not None:
        masked = mask != 0
        kind = 2
        if mask_type is not None:
            kind = mask_type
        if kind == 0:
            masked = masked.view([1, 1, l, l])
        elif kind == 1:
            masked = masked.view([n, 1, 1, l])
        scores = scores.masked_fill(masked, float("-inf"))
    weights = torch.softmax(scores, -1)
    y = torch.matmul(weights, qkv[2])
    given: WEIGHTS = NONE
    if need_weights:
        if average_attn_weights:
            given = weights.mean(1)
        else:
            given = weights
)";

constexpr std::size_t kAttentionArguments = 13;
constexpr std::size_t kMask = 9;
constexpr std::size_t kNeedWeights = 10;

// A bool that is a constant, or whether two numbers that are known are equal.
std::optional<bool> known_bool(const jit::Value* value) {
  if (const auto constant = jit::toIValue(const_cast<jit::Value*>(value))) {
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

std::string replaced(std::string text, const std::string& mark, const std::string& other) {
  for (auto at = text.find(mark); at != std::string::npos; at = text.find(mark)) {
    text.replace(at, mark.size(), other);
  }
  return text;
}

std::string encoder_layer(std::optional<bool> use_gelu) {
  std::string activation =
      "    if use_gelu:\n        x = torch.gelu(x)\n    else:\n        x = torch.relu(x)";
  if (use_gelu) {
    activation = *use_gelu ? "    x = torch.gelu(x)" : "    x = torch.relu(x)";
  }
  return replaced(kEncoderLayer, "ACTIVATION", activation);
}

// Known weights are a tensor; others may be None.
std::string attention(const jit::Node* node) {
  const auto need_weights = known_bool(node->input(kNeedWeights));
  const bool are_given = need_weights.value_or(false);
  const bool is_plain = need_weights == false && node->input(kMask)->mustBeNone();
  auto source = replaced(kAttention, "ATTEND", is_plain ? kWithoutWeights : kWithWeights);
  source = replaced(source, "WEIGHTS", are_given ? "Tensor" : "Optional[Tensor]");
  return replaced(source, "NONE", are_given ? "weights" : "None");
}

// Puts the body of a function in the place of a node.
void replace_by(jit::Node* node, const std::string& source) {
  const auto unit = jit::compile(source);
  const auto& function = jit::toGraphFunction(unit->get_function("f"));
  const jit::WithInsertPoint guard(node);
  auto outputs = jit::insertGraph(*node->owningGraph(), *function.graph(), node->inputs());
  if (node->outputs().size() > 1) {
    const auto parts = jit::createTupleUnpack(outputs.at(0));
    outputs.assign(parts.begin(), parts.end());
  }
  for (std::size_t i = 0; i < node->outputs().size(); ++i) {
    node->output(i)->replaceAllUsesWith(outputs.at(i));
  }
  node->destroy();
}

bool is_call_of(const jit::Node* node, const char* name, std::size_t arguments) {
  return node->kind().toQualString() == std::string_view(name) &&
         node->inputs().size() == arguments;
}

}  // namespace

void decompose_encoder_layer(jit::Block* block) {
  for_each_node(block, [](jit::Node* node) {
    if (is_call_of(node, "aten::_transformer_encoder_layer_fwd", kLayerArguments)) {
      replace_by(node, encoder_layer(known_bool(node->input(kUseGelu))));
    }
  });
}

void decompose_attention(jit::Block* block) {
  for_each_node(block, [&](jit::Node* node) {
    const bool is_of_one_tensor =
        is_call_of(node, "aten::_native_multi_head_attention", kAttentionArguments) &&
        node->input(1) == node->input(0) && node->input(2) == node->input(0);
    if (is_of_one_tensor && node->owningBlock() == block) {
      replace_by(node, attention(node));
    }
  });
}

}  // namespace actswap
