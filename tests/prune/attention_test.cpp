// Heads of attention, whose number stands in code beside sizes of the inputs.
#include <actswap/graph/model.h>
#include <actswap/graph/plan.h>
#include <actswap/graph/reload.h>
#include <actswap/graph/retarget.h>
#include <actswap/prune/prune.h>
#include <actswap/prune/units.h>

#include <torch/script.h>
#include <torch/utils.h>

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "calibrate/written.h"
#include "models.h"
#include "prune/cut_right.h"

namespace actswap {
namespace {

// Three heads of four features each, for x of length x examples x 12. How nn.MultiheadAttention
// puts it: e, the number of features, is that of the input, and heads lie beside examples.
constexpr char kProject[] = R"(
    l, n, e = x.size(0), x.size(1), x.size(2)
    p = torch.linear(x, self.w1).unflatten(-1, [3, e]).unsqueeze(0)
    p = p.transpose(0, -2).squeeze(-2).contiguous()
    q = p[0].view(l, n * 3, e // 3).transpose(0, 1)
    k = p[1].view(l, n * 3, e // 3).transpose(0, 1)
    v = p[2].view(l, n * 3, e // 3).transpose(0, 1)
)";
constexpr char kAttend[] = R"(
    a = torch.softmax(torch.bmm(q, k.transpose(1, 2)) * 0.5, -1)
    y = torch.bmm(a, v)
)";
constexpr char kMerge[] = R"(
    y = torch.linear(y.transpose(0, 1).reshape(l * n, e), self.w2)
    return torch.linear(y, self.w3).view(l, n, 4)
)";
const Shapes kWeights = {{"w1", {36, 12}}, {"w2", {6, 12}}, {"w3", {4, 6}}};

TEST(Heads, GoFromBesideExamples) {
  const auto module =
      written("Heads", kWeights, std::string(kProject) + kAttend + std::string(kMerge));
  const auto units = find_units(module, {torch::randn({5, 2, 12})});
  ASSERT_EQ(groups_in(units), "w1 3; w2 6");
  EXPECT_EQ(units.groups[0].slices.at(0).entries.at(1),
            (std::vector<std::int64_t>{4, 5, 6, 7, 16, 17, 18, 19, 28, 29, 30, 31}));
  for (const std::int64_t length : {1, 5, 8}) {
    for (const std::int64_t examples : {1, 2, 7}) {
      expect_cut_right(module, units, {torch::randn({length, examples, 12})});
    }
  }
}

// From one example alone: the number of heads is that of heads and examples then.
TEST(Heads, AreToldFromExamples) {
  const auto module =
      written("OneExample", kWeights, std::string(kProject) + kAttend + std::string(kMerge));
  const auto units = find_units(module, {torch::randn({1, 1, 12})});
  ASSERT_EQ(groups_in(units), "w1 3; w2 6");
  expect_cut_right(module, units, {torch::randn({5, 4, 12})});
}

TEST(Heads, GoWithAMaskThatIsRepeatedForEach) {
  const std::string mask =
      "    m = (x[:, :, 0] > 0.5).transpose(0, 1).view(n, 1, 1, l).expand(-1, 3, -1, -1)\n"
      "    m = m.reshape(n * 3, 1, l)\n"
      "    a = torch.bmm(q, k.transpose(1, 2)) * 0.5\n"
      "    a = torch.softmax(a.masked_fill(m, -100.0), -1)\n"
      "    y = torch.bmm(a, v)\n";
  const auto module = written("Masked", kWeights, kProject + mask + std::string(kMerge));
  const auto units = find_units(module, {torch::randn({5, 2, 12})});
  ASSERT_EQ(groups_in(units), "w1 3; w2 6");
  expect_cut_right(module, units, {torch::randn({6, 3, 12})});
}

// A mask of its own for each head, from the inputs.
TEST(Heads, StayWithAMaskThatTellsThemApart) {
  const std::string mask =
      "    m = x.reshape(l, n * 3, 4).transpose(0, 1)[:, :, 0].unsqueeze(1)\n"
      "    a = torch.softmax(torch.bmm(q, k.transpose(1, 2)) * 0.5 + m, -1)\n"
      "    y = torch.bmm(a, v)\n";
  const auto module = written("Apart", kWeights, kProject + mask + std::string(kMerge));
  EXPECT_EQ(groups_in(find_units(module, {torch::randn({5, 2, 12})})), "w2 6");
}

// Features stay, because rotary embeddings and norms go over them; heads do not.
TEST(Heads, GoWithRotaryEmbeddingsAndNormedQueries) {
  const Shapes shapes = {{"w1", {36, 12}}, {"w2", {6, 12}}, {"w3", {4, 6}}};
  const std::string code = R"(
    n, l, e = x.size(0), x.size(1), x.size(2)
    q, k, v = torch.linear(x, self.w1).chunk(3, -1)
    q = q.view(n, l, 3, 4).transpose(1, 2)
    k = k.view(n, l, 3, 4).transpose(1, 2)
    v = v.view(n, l, 3, 4).transpose(1, 2)
    q = torch.layer_norm(q, [4], None, None, 1e-5)
    angle = torch.arange(l).unsqueeze(1) * torch.tensor([1.0, 0.1, 1.0, 0.1])
    q = q * torch.cos(angle) + torch.cat([-q[:, :, :, 2:], q[:, :, :, :2]], -1) * torch.sin(angle)
    k = k * torch.cos(angle) + torch.cat([-k[:, :, :, 2:], k[:, :, :, :2]], -1) * torch.sin(angle)
    a = torch.softmax(torch.matmul(q, k.transpose(-1, -2)) * 0.5, -1)
    y = torch.matmul(a, v).transpose(1, 2).reshape(n, l, 12)
    return torch.linear(torch.linear(y, self.w2), self.w3)
)";
  const auto module = written("Rotary", shapes, code);
  const auto units = find_units(module, {torch::randn({2, 5, 12})});
  ASSERT_EQ(groups_in(units), "w1 3; w2 6");
  expect_cut_right(module, units, {torch::randn({3, 7, 12})});
}

// The table's labels, which are the same for all heads, would tie their features.
TEST(Heads, GoBesideATableOfRotaryEmbeddings) {
  const Shapes shapes = {
      {"q", {12, 8}}, {"k", {12, 8}}, {"w1", {12, 8}}, {"w2", {6, 12}}, {"w3", {4, 6}}};
  auto module = written("Table", shapes, R"(
    n, l = x.size(0), x.size(1)
    q = torch.linear(x, self.q).view(n, l, -1, 4).transpose(1, 2)
    k = torch.linear(x, self.k).view(n, l, -1, 4).transpose(1, 2)
    v = torch.linear(x, self.w1).view(n, l, -1, 4).transpose(1, 2)
    angle = torch.arange(l).unsqueeze(1) * torch.cat([self.frequencies, self.frequencies])
    c, s = torch.cos(angle), torch.sin(angle)
    q = q * c + torch.cat([-q[:, :, :, 2:], q[:, :, :, :2]], -1) * s
    k = k * c + torch.cat([-k[:, :, :, 2:], k[:, :, :, :2]], -1) * s
    y = torch.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(n, l, -1)
    return torch.linear(torch.linear(y, self.w2), self.w3)
)",
                        "x", {}, {{"frequencies", {2}}});
  module.attr("frequencies").toTensor().copy_(torch::tensor({1.0F, 0.1F}));
  const auto units = find_units(module, {torch::randn({2, 5, 8})});
  ASSERT_EQ(groups_in(units), "q and 2 others 3; w2 6");
  expect_cut_right(module, units, {torch::randn({3, 7, 8})});
}

// Two heads share one of keys and of values, and go with it.
TEST(Heads, OfOneGroupGoTogether) {
  const Shapes shapes = {
      {"w1", {16, 12}}, {"k", {8, 12}}, {"v", {8, 12}}, {"w2", {6, 16}}, {"w3", {4, 6}}};
  const auto attend = [](const std::string& keys, const std::string& product) {
    return "    n, l = x.size(0), x.size(1)\n"
           "    q = torch.linear(x, self.w1).view(n, l, -1, 4).transpose(1, 2)\n"
           "    k = torch.linear(x, self.k).view(n, l, -1, 4).transpose(1, 2)\n"
           "    v = torch.linear(x, self.v).view(n, l, -1, 4).transpose(1, 2)\n" +
           keys + "    y = torch.scaled_dot_product_attention(q, k, v" + product +
           ")\n"
           "    y = y.transpose(1, 2).reshape(n, l, -1)\n"
           "    return torch.linear(torch.linear(y, self.w2), self.w3)\n";
  };
  const std::string in_sizes =
      "    g = k.size(1)\n"
      "    k = k[:, :, None].expand(n, g, 2, l, 4).reshape(n, g * 2, l, 4)\n"
      "    v = v[:, :, None].expand(n, g, 2, l, 4).reshape(n, g * 2, l, 4)\n";
  const std::string in_numbers =
      "    k = k.unsqueeze(2).expand(-1, 2, 2, -1, -1).reshape(n, 4, l, 4)\n"
      "    v = v.unsqueeze(2).expand(-1, 2, 2, -1, -1).reshape(n, 4, l, 4)\n";
  for (const auto& [keys, product] : std::vector<std::pair<std::string, std::string>>{
           {in_sizes, ""}, {in_numbers, ""}, {"", ", enable_gqa=True"}}) {
    SCOPED_TRACE(keys + product);
    const auto module = written("Grouped", shapes, attend(keys, product));
    const auto units = find_units(module, {torch::randn({2, 5, 12})});
    EXPECT_EQ(groups_in(units), "w1 and 2 others 2; w2 6");
    expect_cut_right(module, units, {torch::randn({3, 7, 12})});
  }
}

// One attention is a fused operator in the file, the other is made of parts.
TEST(Heads, GoFromLayersOfPyTorch) {
  const auto model = load(test_model("decoder_traced.pt"));
  const auto inputs = recorded("decoder_traced").inputs;
  EXPECT_EQ(groups_in(prunable_units(model, inputs)), "self_attn 3; multihead_attn 3; linear1 8");
  const Retargeter swap(model, plan(model, {}));
  const auto units = find_units(swap.module(), inputs);
  for (const std::int64_t examples : {1, 3}) {
    expect_cut_right(swap.module(), units,
                     {torch::randn({examples, 4, 12}), torch::randn({examples, 7, 12})});
  }
}

// The code of a scripted encoder has them as one operator in one branch, and apart in the other.
TEST(Units, OfFusedLayersAreThoseOfTheirParts) {
  const auto units = prunable_units(load(test_model("encoder.pt")), recorded("encoder").inputs);
  EXPECT_EQ(groups_in(units), "0.linear1 12; 1.linear1 12");
}

// The branch for self-attention reads the weights in another way. A caller may give one tensor
// twice, so the model may take it.
TEST(Units, StayWhereTwoArgumentsMayBeOneTensor) {
  const Shapes shapes = {{"w0", {6, 3}}, {"w1", {6, 3}}, {"w2", {4, 6}}};
  const auto groups_if = [&](const std::string& name, const std::string& condition) {
    const auto code = "    y = torch.linear(x, self.w0)\n    if " + condition +
                      ":\n        y = torch.tril(y)\n"
                      "    return torch.linear(y + torch.linear(z, self.w1), self.w2)\n";
    const auto module = written(name, shapes, code, "x, z");
    return groups_in(find_units(module, {torch::randn({5, 3}), torch::randn({5, 3})}));
  };
  EXPECT_EQ(groups_if("Twice", "x is z"), "");
  EXPECT_EQ(groups_if("Itself", "x.contiguous() is z"), "");
  EXPECT_EQ(groups_if("Another", "(x + 1.0) is z"), "w0 and w1 6");  // never the same
}

}  // namespace
}  // namespace actswap
