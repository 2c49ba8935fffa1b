#include <actswap/base/error.h>
#include <actswap/graph/insert.h>
#include <actswap/graph/reload.h>
#include <actswap/kernel/blend_operator.h>

#include <gtest/gtest.h>
#include <torch/csrc/jit/frontend/resolver.h>
#include <torch/csrc/jit/frontend/sugared_value.h>

#include "ir.h"
#include "models.h"

namespace actswap {
namespace {

using torch::jit::CompilationUnit;

/// root(x): act(lin(x)) * silu(x), with act a module.
torch::jit::Module make_root() {
  const auto unit = std::make_shared<CompilationUnit>();
  const auto act =
      make_module(unit, "Act", "def forward(self, x: Tensor) -> Tensor:\n  return torch.mish(x)\n");
  return make_module(unit, "Root",
                     "def forward(self, x: Tensor) -> Tensor:\n"
                     "  return self.act.forward(x * 2.0) * torch.silu(x)\n",
                     {{"act", act}});
}

torch::jit::Module child(const torch::jit::Module& module, const std::string& name) {
  return module.attr(name).toModule();
}

Plan plan_for(const torch::jit::Module& root, const PlanOptions& options = {}) {
  return plan(adopt(root), options);
}

TEST(Insert, EachSiteCallsAChildModule) {
  const auto root = make_root();
  const auto inserted = insert_blends(root, plan_for(root), BlendCode::stock);
  EXPECT_EQ(inserted.paths,
            (std::map<std::string, std::string>{{"/forward/0", "actswap_blend_0"},
                                                {"act/forward/0", "act.actswap_blend_0"}}));
  EXPECT_EQ(canonical(graph_of(root)), R"IR(graph(%0 : __torch__.Root,
      %1 : Tensor):
  %2 : float = prim::Constant[value=2.]()
  %3 : __torch__.Act = prim::GetAttr[name="act"](%0)
  %4 : Tensor = aten::mul(%1, %2)
  %5 : Tensor = prim::CallMethod[name="forward"](%3, %4)
  %6 : __torch__.actswap.Blend = prim::GetAttr[name="actswap_blend_0"](%0)
  %7 : Tensor = prim::CallMethod[name="forward"](%6, %1)
  %8 : Tensor = aten::mul(%5, %7)
  return (%8)
)IR");
}

TEST(Insert, BlendTakesOneFunctionAtEachEnd) {
  const auto root = make_root();
  insert_blends(root, plan_for(root), BlendCode::stock);
  const auto blend = root.attr("actswap_blend_0").toModule();
  EXPECT_EQ(canonical(graph_of(blend)), R"IR(graph(%0 : __torch__.actswap.Blend,
      %1 : Tensor):
  %2 : float = prim::Constant[value=1.]()
  %3 : float = prim::Constant[value=0.]()
  %4 : float = prim::GetAttr[name="t"](%0)
  %5 : bool = aten::le(%4, %3)
  %6 : Tensor = prim::If(%5)
    block0():
      %y.1 : Tensor = aten::silu(%1)
      -> (%y.1)
    block1():
      %8 : bool = aten::ge(%4, %2)
      %y.25 : Tensor = prim::If(%8)
        block0():
          %y.3 : Tensor = aten::relu(%1)
          -> (%y.3)
        block1():
          %11 : Tensor = aten::silu(%1)
          %12 : Tensor = aten::relu(%1)
          %y.5 : Tensor = aten::lerp(%11, %12, %4)
          -> (%y.5)
      -> (%y.25)
  return (%6)
)IR");
}

// In train mode the operator does the beginning, too, and the end where ATen has no operator for
// it.
TEST(Insert, FusedBlendsCallTheOperator) {
  const auto root = make_root();
  insert_blends(root, plan_for(root), BlendCode::fused);
  const auto blend = root.attr("actswap_blend_0").toModule();
  EXPECT_EQ(canonical(graph_of(blend)), R"IR(graph(%0 : __torch__.actswap.Blend,
      %1 : Tensor):
  %2 : float = prim::Constant[value=0.]()
  %3 : float = prim::Constant[value=1.]()
  %4 : bool = prim::Constant[value=0]()
  %5 : str = prim::Constant[value="silu"]()
  %6 : str = prim::Constant[value="relu"]()
  %7 : float = prim::GetAttr[name="t"](%0)
  %8 : bool = aten::ge(%7, %3)
  %9 : Tensor = prim::If(%8)
    block0():
      %y.1 : Tensor = aten::relu(%1)
      -> (%y.1)
    block1():
      %11 : bool = aten::le(%7, %2)
      %12 : bool = prim::If(%11)
        block0():
          %training : bool = prim::GetAttr[name="training"](%0)
          %14 : bool = aten::__not__(%training)
          -> (%14)
        block1():
          -> (%4)
      %y.25 : Tensor = prim::If(%12)
        block0():
          %y.3 : Tensor = aten::silu(%1)
          -> (%y.3)
        block1():
          %y.5 : Tensor = actswap::blend(%1, %7, %5, %6)
          -> (%y.5)
      -> (%y.25)
  return (%9)
)IR");
}

// In eval mode both are exact; in train mode the operator spares a target of several operators.
TEST(Insert, EndsOfFusedBlends) {
  BlendFactory factory(std::make_shared<CompilationUnit>(), BlendCode::fused);
  auto blend = factory.make(resolve("silu"), resolve("hard_mish"), false);
  const auto x = torch::linspace(-3, 3, 1001);
  const auto at = [&](double t, bool training) {
    blend.setattr("t", t);
    blend.train(training);
    return blend.forward({x}).toTensor();
  };
  const auto hard_mish = x * torch::hardsigmoid(x * 3.0 + 3.0);
  EXPECT_TRUE(torch::equal(at(0.0, false), torch::silu(x)));
  EXPECT_TRUE(torch::equal(at(1.0, false), hard_mish));
  EXPECT_TRUE(torch::equal(at(0.0, true), actswap::blend(x, 0.0, "silu", "hard_mish")));
  EXPECT_TRUE(torch::equal(at(1.0, true), actswap::blend(x, 1.0, "silu", "hard_mish")));
  EXPECT_TRUE(torch::allclose(at(0.0, true), torch::silu(x), 1e-5, 1e-6));
  EXPECT_TRUE(torch::allclose(at(1.0, true), hard_mish, 1e-5, 1e-6));
}

// The first has no kernel as a target, the second none as a source.
TEST(Insert, FusedBlendsWithoutAKernelAreStock) {
  for (const auto& [source, target] : {std::pair("mish", "silu"), std::pair("softsign", "relu")}) {
    const auto graph = [&, from = resolve(source), to = resolve(target)](BlendCode code) {
      BlendFactory factory(std::make_shared<CompilationUnit>(), code);
      return canonical(graph_of(factory.make(from, to, true)));
    };
    EXPECT_EQ(graph(BlendCode::fused), graph(BlendCode::stock)) << source;
  }
}

TEST(Insert, CodeOfBlendsCanBeChanged) {
  const auto graph = [](const torch::jit::Module& root) {
    return canonical(graph_of(root.attr("act").toModule().attr("actswap_blend_0").toModule()));
  };
  for (const auto code : {BlendCode::fused, BlendCode::stock}) {
    const auto root = make_root();
    insert_blends(root, plan_for(root), code);
    const auto before = graph(root);
    set_code(root, code == BlendCode::fused ? BlendCode::stock : BlendCode::fused);
    EXPECT_NE(graph(root), before);
    set_code(root, code);
    EXPECT_EQ(graph(root), before);
    EXPECT_EQ(collapse_blends(root), 2U);
  }
}

// One class, whose first activation writes over its input and whose second does not. The blends do
// not write, since they are trained.
TEST(Insert, WhatWroteOverItsInputEndsSo) {
  const auto export_to = [](const std::string& target) {
    const auto unit = std::make_shared<CompilationUnit>();
    const auto root = make_module(unit, "Root",
                                  "def forward(self, x: Tensor) -> Tensor:\n"
                                  "  return torch.silu(torch.silu_(x * 2.0) + 1.0)\n");
    PlanOptions options;
    options.to = target;
    insert_blends(root, plan_for(root, options), BlendCode::stock);
    EXPECT_EQ(graph_of(root)->toString().find("relu"), std::string::npos);
    collapse_blends(root);
    return root;
  };
  const auto root = export_to("relu");
  EXPECT_NE(graph_of(root)->toString().find("aten::relu_("), std::string::npos)
      << graph_of(root)->toString();
  EXPECT_NE(graph_of(root)->toString().find("aten::relu("), std::string::npos)
      << graph_of(root)->toString();
  const auto x = torch::randn({64}).requires_grad_();
  const auto y = root.get_method("forward")({x}).toTensor();
  y.sum().backward();
  EXPECT_TRUE(torch::equal(y, torch::relu(x * 2.0) + 1.0));
  EXPECT_TRUE(torch::equal(x.grad(), 2.0 * (x > 0.0)));
  EXPECT_NE(graph_of(export_to("leaky_relu"))->toString().find("aten::leaky_relu_("),
            std::string::npos);
  // Several operators, of which each would need a tensor of its own.
  EXPECT_EQ(graph_of(export_to("hard_mish"))->toString().find("_("), std::string::npos);
}

// The input of the second is the output of the first, which is replaced before it. ReLU's gradient
// needs that output, so the second does not write over it.
TEST(Insert, ActivationsInARow) {
  const auto unit = std::make_shared<CompilationUnit>();
  const auto root = make_module(unit, "Root",
                                "def forward(self, x: Tensor) -> Tensor:\n"
                                "  y = torch.silu_(torch.mish(x))\n"
                                "  return torch.mish(y) + y\n");
  EXPECT_EQ(insert_blends(root, plan_for(root), BlendCode::stock).paths.size(), 3U);
  EXPECT_EQ(collapse_blends(root), 3U);
  EXPECT_EQ(canonical(graph_of(root)), R"IR(graph(%0 : __torch__.Root,
      %1 : Tensor):
  %2 : int = prim::Constant[value=1]()
  %3 : Tensor = aten::relu(%1)
  %4 : Tensor = aten::relu(%3)
  %5 : Tensor = aten::relu(%4)
  %6 : Tensor = aten::add(%5, %4, %2)
  return (%6)
)IR");
}

/// Knows functions by name.
struct Functions : torch::jit::Resolver {
  explicit Functions(std::shared_ptr<CompilationUnit> unit) : unit_(std::move(unit)) {}
  std::shared_ptr<torch::jit::SugaredValue> resolveValue(
      const std::string& name, torch::jit::GraphFunction& method,
      const torch::jit::SourceRange& at) override {
    auto* function = unit_->find_function(c10::QualifiedName("__torch__." + name));
    return function != nullptr ? std::make_shared<torch::jit::FunctionValue>(function)
                               : torch::jit::nativeResolver()->resolveValue(name, method, at);
  }
  std::shared_ptr<CompilationUnit> unit_;
};

/// root(x) with this body, a child and functions to call; `activation` stands for ACTIVATION.
torch::jit::Module make_writer(const std::string& body, const std::string& activation) {
  const auto with_activation = [&](std::string text) {
    const std::string mark = "ACTIVATION";
    for (auto at = text.find(mark); at != std::string::npos; at = text.find(mark)) {
      text.replace(at, mark.size(), activation);
    }
    return text;
  };
  const auto unit = std::make_shared<CompilationUnit>();
  const auto child = make_module(unit, "Child",
                                 with_activation("def add_one(self, x: Tensor) -> Tensor:\n"
                                                 "  return x.add_(1.0)\n"
                                                 "def act(self, x: Tensor) -> Tensor:\n"
                                                 "  return ACTIVATION\n"));
  const auto resolver = std::make_shared<Functions>(unit);
  unit->define(c10::QualifiedName("__torch__"),
               "def write(x: Tensor) -> Tensor:\n  return x.add_(1.0) * 2.0\n"
               "def same(x: Tensor) -> Tensor:\n  return x\n"
               "def twice(x: Tensor) -> Tensor:\n  return x * 2.0\n",
               resolver, nullptr);
  auto root = make_module(unit, "Root", "", {{"child", child}});
  root.define(with_activation("def forward(self, x: Tensor) -> Tensor:\n" + body), resolver);
  return root;
}

torch::Tensor gradient(torch::jit::Module& module) {
  torch::manual_seed(1);
  const auto x = torch::randn({3, 4}).set_requires_grad(true);
  module.forward({x * 1.0}).toTensor().sum().backward();
  return x.grad();
}

// The gradient of ReLU needs its own output: what is written to is a copy of it.
TEST(Insert, WhatIsWrittenToCanBeTrained) {
  const struct {
    const char* body;
    bool copies;
  } cases[] = {
      {"  y = ACTIVATION\n  return y * y\n", false},
      {"  y = ACTIVATION\n  z = y * 3.0\n  z += 1.0\n  return z * y\n", false},
      {"  return self.child.act(x) * 2.0\n", false},
      {"  return twice(ACTIVATION)\n", false},
      {"  y = ACTIVATION\n  return write(y) * y\n", true},
      {"  y = same(ACTIVATION)\n  y += 1.0\n  return y * y\n", true},
      {"  y = ACTIVATION\n  y += x\n  return y * y\n", true},
      {"  y = ACTIVATION\n  y.view([-1]).mul_(2.0)\n  return y * y\n", true},
      {"  y = ACTIVATION\n  y[0] = 1.0\n  return y * y\n", true},
      {"  if x.size(0) > 1:\n    y = ACTIVATION\n  else:\n    y = x * 2.0\n"
       "  y += 1.0\n  return y * y\n",
       true},
      {"  y = ACTIVATION\n  for _ in range(2):\n    y = y.add_(1.0)\n  return y * y\n", true},
      {"  y = ACTIVATION\n  for _ in range(2):\n    if x.size(0) > 5:\n      y = y * 2.0\n"
       "  y += 1.0\n  return y * y\n",
       true},
      {"  y = ACTIVATION\n  return self.child.add_one(y) * y\n", true},
      {"  y = ACTIVATION\n  z = torch.dropout(y, 0.5, False)\n  z.add_(1.0)\n  return y * z\n",
       true},
      {"  y = ACTIVATION\n  many = [y]\n  many[0].add_(1.0)\n  return y * y\n", true},
      {"  y = ACTIVATION\n  y.ravel().add_(1.0)\n  return y * y\n", true},
      {"  y = ACTIVATION\n  many = [y]\n  many.append(x.add_(1.0))\n  return y * y\n", false},
      {"  y = self.child.act(x)\n  y += 1.0\n  return y * y\n", true},
  };
  for (const auto& [body, copies] : cases) {
    for (const auto code : {BlendCode::stock, BlendCode::fused}) {
      SCOPED_TRACE(body);
      auto root = make_writer(body, "torch.silu(x)");
      const auto inserted = insert_blends(root, plan_for(root), code);
      for_each_blend(inserted.root, [&, copied = copies](torch::jit::Module& blend) {
        blend.setattr("t", 1.0);
        EXPECT_EQ(canonical(graph_of(blend)).find("aten::clone") != std::string::npos, copied);
      });
      auto reference = make_writer(body, "torch.relu(x).clone()");
      EXPECT_TRUE(torch::equal(gradient(root), gradient(reference)));
      collapse_blends(root);
      EXPECT_EQ(canonical(graph_of(root)).find("aten::clone"), std::string::npos);
    }
  }
}

TEST(Insert, LeavesWhatThePlanKeeps) {
  const auto root = make_root();
  const auto before = canonical(graph_of(root));
  PlanOptions options;
  options.keep = {"/forward/0"};
  insert_blends(root, plan_for(root, options), BlendCode::stock);
  EXPECT_EQ(canonical(graph_of(root)), before);
  EXPECT_FALSE(root.hasattr("actswap_blend_0"));
  EXPECT_TRUE(root.attr("act").toModule().hasattr("actswap_blend_0"));
}

TEST(Insert, CollapsePutsTheTargetInItsPlace) {
  const auto root = make_root();
  insert_blends(root, plan_for(root), BlendCode::stock);
  EXPECT_EQ(collapse_blends(root), 2U);
  EXPECT_EQ(canonical(graph_of(root)), R"IR(graph(%0 : __torch__.Root,
      %1 : Tensor):
  %2 : float = prim::Constant[value=2.]()
  %3 : __torch__.Act = prim::GetAttr[name="act"](%0)
  %4 : Tensor = aten::mul(%1, %2)
  %5 : Tensor = prim::CallMethod[name="forward"](%3, %4)
  %6 : Tensor = aten::relu(%1)
  %7 : Tensor = aten::mul(%5, %6)
  return (%7)
)IR");
  EXPECT_FALSE(root.hasattr("actswap_blend_0"));
  EXPECT_EQ(canonical(graph_of(root.attr("act").toModule())), R"IR(graph(%0 : __torch__.Act,
      %1 : Tensor):
  %2 : Tensor = aten::relu(%1)
  return (%2)
)IR");
}

// An activation inside a hand-written one that somebody else reads too: each reader gets what the
// plan says.
TEST(Insert, ActivationsThatShareAPart) {
  const std::string gate = "  g = torch.sigmoid(x)\n  return x * g + g\n";
  const std::string selu =
      "  e = torch.elu(x, 1.6732632423543772)\n  return 1.0507009873554805 * e + torch.exp(e)\n";
  const struct {
    std::string body;
    std::vector<std::string> sources;
    const char* expected;
  } cases[] = {
      {gate, {"sigmoid", "silu"}, "torch.relu(x) + torch.relu(x)"},
      {gate, {"silu"}, "torch.relu(x) + torch.sigmoid(x)"},
      {gate, {"sigmoid"}, "torch.silu(x) + torch.relu(x)"},
      {selu, {}, "torch.relu(x) + torch.exp(torch.relu(x))"},
      {selu, {"elu"}, "torch.selu(x) + torch.exp(torch.relu(x))"},
      {selu, {"selu"}, "torch.relu(x) + torch.exp(torch.elu(x, 1.6732632423543772))"},
  };
  for (const auto& [body, sources, expected] : cases) {
    const auto unit = std::make_shared<CompilationUnit>();
    const std::string head = "def forward(self, x: Tensor) -> Tensor:\n";
    const auto root = make_module(unit, "Root", head + body);
    PlanOptions options;
    options.sources = sources;
    const auto inserted = insert_blends(recompile(root), plan_for(root, options), BlendCode::stock);
    const auto x = torch::linspace(-3, 3, 50);
    EXPECT_LT(largest_difference(outputs_of(inserted.root, {x}), outputs_of(root, {x})), 1e-6);
    const auto swapped = make_module(unit, "Swapped", head + "  return " + expected + "\n");
    EXPECT_LT(largest_difference(outputs_of(collapsed(recompile(inserted.root)), {x}),
                                 outputs_of(swapped, {x})),
              1e-6)
        << body << testing::PrintToString(sources);
  }
}

std::string class_of(const torch::jit::Module& module) {
  return module.type()->name()->qualifiedName();
}

// Who reads a model goes by the names of its classes.
TEST(Insert, ActivationModulesAreNamedAfterWhatTheyAre) {
  const std::string nn = "torch.nn.modules.activation.";
  const std::string forward = "def forward(self, x: Tensor) -> Tensor:\n";
  const auto made = [&](const PlanOptions& options) {
    const auto unit = std::make_shared<CompilationUnit>();
    const auto silu = make_module(unit, nn + "SiLU", forward + "  return torch.silu(x)\n");
    const auto own = make_module(unit, "mine.Swish", forward + "  return x * torch.sigmoid(x)\n");
    const auto block = make_module(unit, "mine.Block", forward + "  return torch.silu(x) * 2.0\n");
    const auto root =
        make_module(unit, "Root",
                    forward +
                        "  return self.block.forward(self.own.forward(self.b.forward("
                        "self.a.forward(x))))\n",
                    {{"a", silu}, {"b", make_sibling(silu)}, {"own", own}, {"block", block}});
    return collapsed(
        recompile(insert_blends(recompile(root), plan_for(root, options), BlendCode::stock).root));
  };
  const auto relu = made({});
  EXPECT_TRUE(class_of(child(relu, "a")).ends_with(".ReLU"));
  EXPECT_EQ(child(relu, "a").type(), child(relu, "b").type());
  EXPECT_TRUE(class_of(child(relu, "own")).ends_with(".ReLU"));
  EXPECT_EQ(class_of(child(relu, "block")), "__torch__.mine.Block") << "more than an activation";
  const auto x = torch::linspace(-3, 3, 50);
  EXPECT_TRUE(torch::equal(outputs_of(relu, {x})[0], torch::relu(x) * 2.0));

  PlanOptions options;
  options.to = "hard_mish";
  options.keep = {"b"};
  const auto mixed = made(options);
  EXPECT_TRUE(class_of(child(mixed, "a")).ends_with(".Activation")) << "torch.nn has none";
  EXPECT_TRUE(class_of(child(mixed, "b")).ends_with(".SiLU"));
}

// The product is no silu, since x is written to before it; the sigmoid is read twice.
TEST(Insert, WhatStaysReadsWhatItReadBefore) {
  const auto unit = std::make_shared<CompilationUnit>();
  const auto root = make_module(unit, "Root",
                                "def forward(self, x: Tensor) -> Tensor:\n"
                                "  y = x + 0.5\n"
                                "  s = torch.sigmoid(y)\n"
                                "  y.view(-1).mul_(0.7)\n"
                                "  return y * s + s\n");
  const auto plan = plan_for(root, {.sources = {"sigmoid"}});
  const auto blended = insert_blends(recompile(root), plan, BlendCode::stock).root;
  const auto x = torch::linspace(-3, 3, 50);
  EXPECT_TRUE(
      torch::equal(outputs_of(recompile(blended), {x})[0], outputs_of(recompile(root), {x})[0]));
}

// A trace has a method for each call of a module.
TEST(Insert, ActivationModulesOfSeveralMethodsAreNamed) {
  const auto unit = std::make_shared<CompilationUnit>();
  const std::string argument = "(self, x: Tensor) -> Tensor:\n";
  const auto silu = make_module(unit, "torch.nn.modules.activation.SiLU",
                                "def forward" + argument + "  return torch.silu(x)\n" +
                                    "def forward1" + argument + "  return torch.silu(x)\n");
  const auto root = make_module(
      unit, "Root", "def forward" + argument + "  return self.a.forward1(self.a.forward(x))\n",
      {{"a", silu}});
  const auto made = [&](const PlanOptions& options) {
    const auto blended =
        insert_blends(recompile(root), plan_for(root, options), BlendCode::stock).root;
    return class_of(child(collapsed(recompile(blended)), "a"));
  };
  EXPECT_TRUE(made({}).ends_with(".ReLU"));
  EXPECT_TRUE(made({.keep = {"a/forward1/0"}}).ends_with(".SiLU")) << "it is no ReLU";
}

// As a trace does it with a module that has two places.
TEST(Insert, AnActivationModuleMayBeAnArgument) {
  const auto unit = std::make_shared<CompilationUnit>();
  const std::string nn = "torch.nn.modules.activation.SiLU";
  const auto silu =
      make_module(unit, nn, "def forward(self, x: Tensor) -> Tensor:\n  return torch.silu(x)\n");
  torch::jit::Module block(c10::QualifiedName("__torch__.Block"), unit, true);
  auto graph = std::make_shared<torch::jit::Graph>();
  graph->addInput()->setType(block.type());
  auto* act = graph->addInput()->setType(silu.type());
  auto* x = graph->addInput();
  auto* call = graph->insertNode(graph->create(c10::prim::CallMethod, {act, x}));
  call->s_(c10::attr::name, "forward");
  graph->registerOutput(call->output());
  block.type()->addMethod(unit->create_function("__torch__.Block.forward", graph));
  const auto root = make_module(
      unit, "Root", "def forward(self, x: Tensor) -> Tensor:\n  return self.b.forward(self.a, x)\n",
      {{"a", silu}, {"b", block}});
  const auto blended = insert_blends(recompile(root), plan_for(root), BlendCode::stock).root;
  const auto made = collapsed(recompile(blended));
  EXPECT_TRUE(class_of(child(made, "a")).ends_with(".ReLU"));
  const auto at = torch::linspace(-3, 3, 50);
  EXPECT_TRUE(torch::equal(outputs_of(made, {at})[0], torch::relu(at)));
}

TEST(Insert, AModelThatIsAnActivationIsNamedToo) {
  const auto unit = std::make_shared<CompilationUnit>();
  const auto root = make_module(unit, "torch.nn.modules.activation.SiLU",
                                "def forward(self, x: Tensor) -> Tensor:\n"
                                "  return torch.silu(x)\n");
  const auto inserted = insert_blends(recompile(root), plan_for(root), BlendCode::stock);
  EXPECT_EQ(class_of(collapsed(recompile(inserted.root))),
            "__torch__.torch.nn.modules.activation.ReLU");
}

// The root then has no method that moves all blends.
TEST(Insert, AModelMayHaveASetBlendOfItsOwn) {
  const auto unit = std::make_shared<CompilationUnit>();
  const std::string forward =
      "def forward(self, x: Tensor) -> Tensor:\n  return torch.silu(x) * 2.0\n";
  auto attribute = make_module(unit, "Attribute", forward);
  attribute.register_attribute("set_blend", c10::FloatType::get(), 3.0);
  const auto submodule =
      make_module(unit, "Submodule", forward, {{"set_blend", make_module(unit, "Child", forward)}});
  for (const auto& root : {attribute, submodule}) {
    EXPECT_TRUE(has_own_set_blend(root));
    const auto inserted = insert_blends(recompile(root), plan_for(root), BlendCode::stock);
    const auto reloaded = recompile(inserted.root);
    EXPECT_FALSE(reloaded.find_method("set_blend"));
    const auto x = torch::linspace(-3, 3, 50);
    EXPECT_TRUE(torch::equal(outputs_of(collapsed(reloaded), {x})[0], torch::relu(x) * 2.0));
  }
}

TEST(Insert, CollapseLeavesAModelWithoutBlends) {
  const auto root = make_root();
  const auto before = canonical(graph_of(root));
  EXPECT_EQ(collapse_blends(root), 0U);
  EXPECT_EQ(canonical(graph_of(root)), before);
}

TEST(Insert, RefusesAPlanOfAnotherModel) {
  const auto root = make_root();
  auto plan = plan_for(root);
  plan.sites[0].site.id = "elsewhere/forward/0";
  try {
    insert_blends(root, plan, BlendCode::stock);
    FAIL() << "the plan was accepted";
  } catch (const UsageError& error) {
    EXPECT_STREQ(error.what(), "The plan's site 'elsewhere/forward/0' is not in this model");
  }
}

}  // namespace
}  // namespace actswap
