#include <actswap/graph/pattern.h>
#include <actswap/graph/retarget.h>
#include <actswap/graph/sites.h>

#include <gtest/gtest.h>

#include "ir.h"
#include "models.h"

namespace actswap {
namespace {

/// The sources and forms found in a forward with this body.
std::vector<std::string> found_in(const std::string& body) {
  const auto unit = std::make_shared<torch::jit::CompilationUnit>();
  const auto root = make_module(
      unit, "Root", "def forward(self, x: Tensor, y: Tensor) -> Tensor:\n  " + body + "\n");
  std::vector<std::string> found;
  for (const auto& site : find_sites(adopt(root))) {
    found.push_back(site.activation.to_string() + " " + std::string(to_string(site.form)) +
                    (site.in_place ? "_" : ""));
  }
  return found;
}

using Strings = std::vector<std::string>;

// Each way to write it is one site and nothing else.
TEST(Pattern, EverySpelling) {
  const std::pair<const char*, const char*> cases[] = {
      {"return x * torch.sigmoid(x)", "silu pattern"},
      {"return torch.sigmoid(x) * x", "silu pattern"},
      {"return x.mul(x.sigmoid())", "silu pattern"},
      {"return x / (1 + torch.exp(-x))", "silu pattern"},
      {"return x * torch.sigmoid(1.702 * x)", "quick_gelu pattern"},
      {"return x * torch.sigmoid(x * 1.5)", "swish(beta=1.5) pattern"},
      {"return x * torch.tanh(torch.softplus(x))", "mish pattern"},
      {"return torch.tanh(torch.log(1 + torch.exp(x))) * x", "mish pattern"},
      {"return x * torch.tanh(torch.log1p(torch.exp(x)))", "mish pattern"},
      {"return x * 0.5 * (1.0 + torch.erf(x / 1.4142135623730951))", "gelu pattern"},
      {"return 0.5 * (torch.erf(x * 0.7071067811865476) + 1) * x", "gelu pattern"},
      {"return x * (torch.erf(x / 1.4142) * 0.5 + 0.5)", "gelu pattern"},
      {"return 0.5 * x * (1 + torch.tanh(0.7978845608 * (x + 0.044715 * x * x * x)))",
       "gelu_tanh pattern"},
      {"return 0.5 * x * (1 + torch.tanh(0.7978845608 * (x + 0.044715 * torch.pow(x, 3))))",
       "gelu_tanh pattern"},
      {"return 0.5 * x * (1 + torch.tanh(x * 0.7978845608 * (1 + 0.044715 * x * x)))",
       "gelu_tanh pattern"},
      {"return (1 + torch.tanh(x)) * x * 0.5", "aptx pattern"},
      {"return 0.5 * (x * (torch.tanh(x) + 1))", "aptx pattern"},
      {"return x * torch.sigmoid(x + torch.relu(x))", "swish_mish pattern"},
      {"return x * torch.hardtanh(x + 3, 0, 6) / 6", "hardswish pattern"},
      {"return x * torch.clamp(x + 3, 0, 6) / 6", "hardswish pattern"},
      {"return 0.5 * x * torch.clamp(x + 2, 0, 2)", "hard_mish pattern"},
      {"return 0.5 * x * torch.clamp(x + 2, min=0).clamp(max=2)", "hard_mish pattern"},
      {"return torch.where(x > 0, x, 0.3 * (torch.exp(x) - 1))", "elu(alpha=0.3) pattern"},
      {"return x.mul_(torch.sigmoid(x))", "silu pattern_"},
      {"return torch.sigmoid(x).mul_(x)", "silu pattern"},
      {"return x * torch.special_ndtr(x)", "gelu pattern"},
      {"return x * 0.5 * (1.0 + torch.erf(x / torch.sqrt(torch.tensor(2.0))))", "gelu pattern"},
      {"return x * torch.tanh(torch.logaddexp(x, torch.zeros_like(x)))", "mish pattern"},
      {"return 0.5 * x * torch.min(torch.max(x + 2, torch.zeros_like(x)), "
       "torch.full_like(x, 2.0))",
       "hard_mish pattern"},
      {"return x * torch.masked_fill(torch.ones_like(x), x < 0, 0.0)", "relu pattern"},
      {"return torch.threshold(x, 0.0, 0.0) * torch.sign(torch.abs(x))", "relu pattern"},
  };
  for (const auto& [body, expected] : cases) {
    EXPECT_EQ(found_in(body), Strings{expected}) << body;
  }
}

// What differs from the row anywhere is another function; what is inside is found.
TEST(Pattern, AgreesEverywhereOrNotAtAll) {
  const std::pair<const char*, Strings> cases[] = {
      {"return torch.clamp(torch.silu(x), max=10.0)", {"silu op"}},
      {"return torch.clamp(x * torch.sigmoid(x), max=65504.0)", {"silu pattern"}},
      {"return torch.clamp(x * torch.sigmoid(x), max=1e30)", {"silu pattern"}},
      {"return torch.log(torch.softplus(x) + 1e-5)", {"softplus op"}},
      {"return torch.log(torch.softplus(x) + 1e-12)", {"softplus op"}},
      {"return torch.log(torch.softplus(x) + 1e-20)", {"softplus op"}},
      {"return 0.01 * torch.gelu(100 * x)", {"gelu op"}},
      {"return 1e-6 * torch.gelu(1e6 * x)", {"gelu op"}},
      {"return 0.5 * (x + torch.sqrt(x * x + 1e-12))", {}},
      {"return 1.001 * x * torch.sigmoid(x)", {"sigmoid op"}},
      {"return torch.masked_fill(x * torch.sigmoid(x), x > 500, float('inf'))", {"silu pattern"}},
      {"return torch.exp(torch.log(x))", {}},
  };
  for (const auto& [body, expected] : cases) {
    EXPECT_EQ(found_in(body), expected) << body;
  }
  // A bound that is never reached, and forms that overflow far out.
  EXPECT_EQ(found_in("return torch.clamp(torch.silu(x), min=-1.0)"), Strings{"silu pattern"});
  EXPECT_EQ(found_in("return torch.log(1 + torch.exp(x))"), Strings{"softplus pattern"});
  EXPECT_EQ(found_in("return torch.log(torch.sigmoid(x))"), Strings{"logsigmoid pattern"});
  EXPECT_EQ(found_in("return (torch.exp(x) - torch.exp(-x)) / (torch.exp(x) + torch.exp(-x))"),
            Strings{"tanh pattern"});
}

// The output has the type that it had.
TEST(Pattern, CastsCount) {
  const std::pair<const char*, Strings> cases[] = {
      {"return x.float() * torch.sigmoid(x.float())", {"silu pattern"}},
      {"return x * torch.sigmoid(x.float())", {"sigmoid op"}},
      {"return x * torch.sigmoid(x.float()).type_as(x)", {"silu pattern"}},
      {"return x * torch.sigmoid(x.float()).to(x.dtype)", {"silu pattern"}},
      {"return x * torch.sigmoid(x.float()).half()", {"silu pattern"}},
      {"return (x.float() * torch.sigmoid(x.float())).type_as(x)", {"silu pattern"}},
      {"return x.clone() * torch.sigmoid(x.contiguous())", {"silu pattern"}},
      {"return x * (x > 0)", {"relu pattern"}},
      {"return x * (x > 0).float()", {}},
      {"return x * (x > 0).type_as(x)", {"relu pattern"}},
      {"return torch.zeros_like(x, dtype=6).maximum(x)", {}},
  };
  for (const auto& [body, expected] : cases) {
    EXPECT_EQ(found_in(body), expected) << body;
    const auto unit = std::make_shared<torch::jit::CompilationUnit>();
    const auto model = adopt(make_module(
        unit, "Root", "def forward(self, x: Tensor) -> Tensor:\n  " + std::string(body) + "\n"));
    PlanOptions options;
    options.to = "hard_mish";
    options.sources = {"silu", "relu", "sigmoid"};
    const auto the_plan = plan(model, options);
    if (the_plan.swapped() == 0) {
      continue;
    }
    const auto x = torch::randn({4}).to(torch::kHalf);
    EXPECT_EQ(outputs_of(Retargeter(model, the_plan).finish(), {x})[0].dtype(),
              outputs_of(model.module, {x})[0].dtype())
        << body;
  }
}

// Where all tensors of the model are float32, float() changes nothing.
TEST(Pattern, CastsToTheTypeOfTheModelAreNone) {
  const auto found = [](const std::string& body, torch::ScalarType type) {
    const auto unit = std::make_shared<torch::jit::CompilationUnit>();
    torch::jit::Module root("Root", unit, true);
    root.register_parameter("weight", torch::ones({3}, type), false);
    root.define("def forward(self, x: Tensor) -> Tensor:\n  x = x + self.weight\n  " + body + "\n");
    Strings names;
    for (const auto& site : find_sites(adopt(root))) {
      names.push_back(site.activation.to_string());
    }
    return names;
  };
  const std::string relu = "return x * (x > 0).float()";
  EXPECT_EQ(found(relu, torch::kFloat), Strings{"relu"});
  EXPECT_EQ(found(relu, torch::kHalf), Strings{});
  EXPECT_EQ(found("x = x.double()\n  " + relu, torch::kFloat), Strings{});
  EXPECT_EQ(found("return x * torch.sigmoid(x.float())", torch::kFloat), Strings{"silu"});
}

// What is written between is not what the form says.
TEST(Pattern, WritesInBetween) {
  for (const char* body : {"s = torch.sigmoid(x)\n  s.mul_(2.0)\n  return x * s",
                           "s = torch.sigmoid(x)\n  x.add_(1.0)\n  return x * s",
                           "h = x.float()\n  x.add_(1.0)\n  return h * torch.sigmoid(x.float())"}) {
    EXPECT_EQ(found_in(body), Strings{"sigmoid op"}) << body;
  }
}

// Two copies of one tensor are two tensors once something has written to one of them.
TEST(Pattern, CopiesThatAreWrittenTo) {
  for (const char* write : {"a = a.mul_(torch.sigmoid(a))", "a.view(-1).mul_(2.0)", "pass",
                            "if x.dim() > 1:\n    a.mul_(2.0)"}) {
    const auto unit = std::make_shared<torch::jit::CompilationUnit>();
    const auto model = adopt(make_module(
        unit, "Root",
        "def forward(self, x: Tensor) -> Tensor:\n  a = x.clone()\n  " + std::string(write) +
            "\n  b = x.clone()\n  b = b.mul_(torch.sigmoid(b))\n"
            "  return x + a + b\n"));
    PlanOptions options;
    options.to = "hard_mish";
    options.sources = {"silu"};
    const Retargeter swap(model, plan(model, options));
    const auto x = torch::randn({2, 5});
    EXPECT_TRUE(
        torch::allclose(outputs_of(swap.module(), {x})[0], outputs_of(model.module, {x})[0]))
        << write;
  }
}

// Two tensors: a gate is no activation of either, and only its own parts are listed.
TEST(Pattern, GatesAreNone) {
  EXPECT_EQ(found_in("return x * torch.sigmoid(y)"), Strings{"sigmoid op"});
  EXPECT_EQ(found_in("return x * torch.sigmoid(x.mean())"), Strings{"sigmoid op"});
  EXPECT_EQ(found_in("return x * torch.tanh(torch.softplus(y))"),
            (Strings{"softplus op", "tanh op"}));
  EXPECT_EQ(found_in("return torch.sigmoid(x) * torch.tanh(x)"),
            (Strings{"sigmoid op", "tanh op"}));
}

TEST(Pattern, ArithmeticIsNone) {
  for (const char* body : {"return x * 0.5 + 0.0", "return (x + 1.0) * 1.0", "return x * x",
                           "return 2 * x + 3", "return x + y", "return (x - 0.5) / 0.25",
                           "return torch.exp(x) + 1", "return (torch.abs(x) + 1e-6) * 2"}) {
    EXPECT_EQ(found_in(body), Strings{}) << body;
  }
}

// One operand makes them reductions, two would be elementwise.
TEST(Pattern, ReductionsAreNone) {
  EXPECT_EQ(found_in("return 0.5 * x * torch.max(x + 2).clamp(max=2)"), Strings{});
  EXPECT_EQ(found_in("return x * torch.min(x)"), Strings{});
}

// It stops a gradient, which a replacement would not.
TEST(Pattern, WhatIsDetachedIsAnotherTensor) {
  EXPECT_EQ(found_in("return x.detach() * torch.sigmoid(x)"), Strings{"sigmoid op"});
}

// A hardswish, but for the rounding.
TEST(Pattern, ARoundedQuotientIsNone) {
  EXPECT_EQ(found_in("return torch.div(x * torch.clamp(x + 3, 0, 6), 6, rounding_mode='floor')"),
            Strings{});
}

// The activation is applied to what the arithmetic gives, not to what that began with.
TEST(Pattern, BeginsAtTheNearestTensor) {
  EXPECT_EQ(found_in("z = x * 2 + 1\n  return z * torch.sigmoid(z)"), Strings{"silu pattern"});
  EXPECT_EQ(found_in("z = torch.relu(x) + y\n  return z * torch.sigmoid(z)"),
            (Strings{"relu op", "silu pattern"}));
  EXPECT_EQ(found_in("return torch.relu(x * 2 + 1)"), Strings{"relu op"});
}

// However much elementwise code makes what it is applied to.
TEST(Pattern, WhatIsInFrontDoesNotCount) {
  std::string body = "z = x\n";
  for (int i = 0; i < 30; ++i) {
    body += "  z = z * 0.6 + y\n";
  }
  EXPECT_EQ(found_in(body + "  return z * 0.5 * (1.0 + torch.erf(z / 1.4142135623730951))"),
            Strings{"gelu pattern"});
  EXPECT_EQ(found_in(body +
                     "  return 0.5 * z * (1 + torch.tanh(0.7978845608 * (z + 0.044715 * z ** 3)))"),
            Strings{"gelu_tanh pattern"});
}

// swish_mish is aptx_mish(0.5) as well.
TEST(Pattern, TheTablesOwnNamesComeFirst) {
  EXPECT_EQ(found_in("z = x * 0.5\n  return z * torch.sigmoid(z + torch.relu(z))"),
            Strings{"swish_mish pattern"});
}

// Where somebody else reads what was written, the form is of the new value.
TEST(Pattern, BeginsBehindWhatIsWrittenInPlace) {
  EXPECT_EQ(found_in("z = x.tanh_()\n  return z * torch.sigmoid(z) + x"),
            (Strings{"tanh op_", "silu pattern"}));
  EXPECT_EQ(found_in("z = x.add_(0.3)\n  return z * torch.tanh(torch.softplus(z)) + x"),
            Strings{"mish pattern"});
  EXPECT_EQ(found_in("z = x.add_(0.3)\n  return z.mul_(torch.sigmoid(z)) + 1.0"),
            Strings{"silu pattern_"});
}

// A part that is used elsewhere is still there after the replacement, and is a site of its own.
TEST(Pattern, PartsThatAreUsedElsewhereStay) {
  EXPECT_EQ(found_in("s = torch.sigmoid(x)\n  return x * s + s"),
            (Strings{"sigmoid op", "silu pattern"}));
}

TEST(Pattern, InPlaceOnATemporaryThatIsReadIsLeftAlone) {
  EXPECT_EQ(found_in("s = torch.sigmoid(x)\n  z = s.mul_(x)\n  return z + s"),
            Strings{"sigmoid op"});
}

std::string swapped_to_relu(const std::string& text) {
  const auto graph = parse(text);
  for (const auto& match : match_all(*graph)) {
    auto* node = match.node;
    const torch::jit::WithInsertPoint guard(node);
    replace_match(match, graph->insert(c10::aten::relu, {match.input}));
  }
  graph->lint();
  return graph->toString(false);
}

// As a trace writes it, with constants as tensors; nothing of the old form is left behind.
TEST(Pattern, ReplacementTakesThePartsAway) {
  EXPECT_EQ(swapped_to_relu(R"IR(
graph(%x : Tensor):
  %one : Long(device=cpu) = prim::Constant[value={1}]()
  %half : Double(device=cpu) = prim::Constant[value={0.5}]()
  %unit : int = prim::Constant[value=1]()
  %root : Double(device=cpu) = prim::Constant[value={1.41421}]()
  %a : Tensor = aten::div(%x, %root)
  %b : Tensor = aten::erf(%a)
  %c : Tensor = aten::add(%b, %one, %unit)
  %d : Tensor = aten::mul(%x, %half)
  %e : Tensor = aten::mul(%d, %c)
  return (%e))IR"),
            R"IR(graph(%x : Tensor):
  %1 : Long(device=cpu) = prim::Constant[value={1}]()
  %2 : Double(device=cpu) = prim::Constant[value={0.5}]()
  %3 : int = prim::Constant[value=1]()
  %4 : Double(device=cpu) = prim::Constant[value={1.41421}]()
  %10 : Tensor = aten::relu(%x)
  return (%10)
)IR");
}

}  // namespace
}  // namespace actswap
