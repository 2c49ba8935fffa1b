#include <actswap/graph/observe.h>
#include <actswap/graph/plan.h>
#include <actswap/run/observed_model.h>

#include <gtest/gtest.h>

#include <set>

#include "ir.h"
#include "models.h"

namespace actswap {
namespace {

std::vector<std::string> ids(const Model& model) {
  std::vector<std::string> result;
  for (const auto& site : find_sites(model)) {
    result.push_back(site.id);
  }
  return result;
}

std::vector<std::string> described(const Model& model) {
  std::vector<std::string> result;
  for (const auto& site : find_sites(model)) {
    result.push_back(site.id + " " + site.activation.to_string() + " " +
                     std::string(to_string(site.form)) + (site.in_place ? "_" : ""));
  }
  return result;
}

using Strings = std::vector<std::string>;

// The number of sources is counted by hand beside each model in make_models.py.
TEST(Sites, AsManyAsTheModelsHave) {
  for (const auto& entry : test_models()) {
    EXPECT_EQ(plan(load(entry.path), {}).swapped(), entry.sites) << entry.name;
  }
}

TEST(Sites, IdsAreStableAndUnique) {
  for (const auto& entry : test_models()) {
    const auto first = ids(load(entry.path));
    EXPECT_EQ(first, ids(load(entry.path))) << entry.name;
    EXPECT_EQ(std::set<std::string>(first.begin(), first.end()).size(), first.size()) << entry.name;
  }
}

TEST(Sites, Forms) {
  EXPECT_EQ(described(load(test_model("scripted_functional.pt"))),
            (Strings{"/forward/0 mish function", "/forward/1 silu function", "/forward/2 gelu op",
                     "/forward/3 mish function_", "/forward/4 silu function_",
                     "/forward/5 gelu_tanh op"}));
  EXPECT_EQ(described(load(test_model("scripted_module.pt"))),
            (Strings{"stem.2/forward/0 mish module", "cells.0.act/forward/0 mish module",
                     "cells.1.act/forward/0 mish module"}));
}

TEST(Sites, AreFoundWhereverCodeIs) {
  EXPECT_EQ(described(load(test_model("hooked.pt"))),
            (Strings{"/forward/0 gelu op", "/forward/1 mish function", "/forward/2 gelu op",
                     "/forward/3 mish function", "first/forward/0 silu function",
                     "second/forward/0 silu function"}));
  EXPECT_EQ(described(load(test_model("forked.pt"))),
            (Strings{"/forward/0 gelu pattern", "/helper/0 silu function",
                     "body.1/forward/0 mish module"}));
  EXPECT_EQ(described(load(test_model("indexed.pt"))),
            (Strings{"fixed.act/forward/0 gelu module", "layers.0.act/forward/0 mish module",
                     "layers.1.act/forward/0 silu module", "named.act/forward/0 gelu module"}));
  EXPECT_EQ(described(load(test_model("attributed.pt"))),
            (Strings{"/forward/0 silu function", "act/forward/0 mish module"}));
  // One that saves itself can have no blend: it is its caller's.
  EXPECT_EQ(described(load(test_model("stateful.pt"))),
            (Strings{"/forward/0 mish function", "/forward/1 silu function"}));
}

TEST(Sites, NumbersInAttributesAreParameters) {
  EXPECT_EQ(described(load(test_model("attributes.pt"))),
            (Strings{"/forward/0 elu(alpha=0.5) function", "first/forward/0 quick_gelu module",
                     "second/forward/0 swish(beta=0.7) module"}));
}

// The gate's sigmoid, of a module that a swish has as well, is one of its own.
TEST(Sites, OfPartsThatAreModulesMethodsAndFunctions) {
  EXPECT_EQ(described(load(test_model("of_parts.pt"))),
            (Strings{"/forward/0 gelu pattern", "/forward/1 gelu_tanh pattern",
                     "/inner/0 tanh op",  // which a caller from outside may call
                     "sigmoid/forward/0 sigmoid module", "acts.0/forward/0 silu pattern",
                     "acts.1/forward/0 mish pattern", "acts.2/forward/0 hardswish pattern"}));
}

TEST(Sites, InFilesOfBeforePyTorch16) {
  for (const char* name : {"old_format.pt", "old_format_traced.pt"}) {
    EXPECT_EQ(described(load(test_model(name))),
              (Strings{"/forward/0 gelu pattern", "/forward/1 hardswish pattern"}))
        << name;
  }
}

TEST(Sites, OfModulesThatAreOneOperator) {
  for (const char* name : {"of_operators.pt", "of_operators_traced.pt"}) {
    EXPECT_EQ(described(load(test_model(name))), Strings{"/forward/0 silu pattern"}) << name;
  }
}

TEST(Sites, WithNumbersInBuffers) {
  for (const char* name : {"of_initializers.pt", "of_initializers_traced.pt"}) {
    EXPECT_EQ(described(load(test_model(name))), Strings{"/forward/0 hardswish pattern"}) << name;
  }
}

TEST(Sites, StayWithTheReason) {
  const std::pair<const char*, const char*> cases[] = {
      {"learnt.pt", "its parameter is a tensor of the model, 'beta', which may be learnt"},
      {"through_identity.pt",
       "it writes in place to memory that 'add' reads afterwards under another name"},
      {"forked_in_place.pt",
       "it writes in place to memory that 'wait' reads afterwards under another name"},
      {"stateful_root.pt",
       "its module is saved by code of its own (__getstate__), which would lose a blend"}};
  for (const auto& [name, reason] : cases) {
    EXPECT_EQ(find_sites(load(test_model(name))).front().obstacle, reason) << name;
  }
}

// Of two modules behind an interface the one that writes to what its caller reads stays.
TEST(Sites, StayWithTheReasonBehindAnInterface) {
  for (const auto& site : find_sites(load(test_model("indexed_shortcut.pt")))) {
    EXPECT_EQ(site.obstacle,
              site.module == "layers.0"
                  ? "it writes in place to memory that 'add' reads afterwards under another name"
                  : "")
        << site.id;
  }
}

TEST(Sites, OnePerUseOfAReusedModule) {
  EXPECT_EQ(ids(load(test_model("scripted_reused.pt"))), (Strings{"/forward/0", "/forward/1"}));
  // The tracer writes a method for each call.
  EXPECT_EQ(ids(load(test_model("traced_reused.pt"))),
            (Strings{"act/forward/0", "act/forward1/0"}));
}

TEST(Sites, InEveryMethodOfTheRoot) {
  EXPECT_EQ(ids(load(test_model("methods.pt"))), (Strings{"/features/0", "act/forward/0"}));
}

TEST(Sites, ElementwiseOperatorsOfAModelWithoutActivations) {
  const auto unit = std::make_shared<torch::jit::CompilationUnit>();
  const auto root = make_module(unit, "Root",
                                "def forward(self, x: Tensor) -> Tensor:\n"
                                "  return torch.exp(x) * torch.sqrt(x) + x\n");
  EXPECT_TRUE(find_sites(adopt(root)).empty());
  EXPECT_EQ(elementwise_operators(adopt(root)), (Strings{"add", "exp", "mul", "sqrt"}));
  const auto rare = make_module(unit, "Rare",
                                "def forward(self, x: Tensor) -> Tensor:\n"
                                "  return torch.cos_(torch.floor(x).view([-1])).matmul(x)\n");
  EXPECT_EQ(elementwise_operators(adopt(rare)), (Strings{"cos", "floor"}));
}

// An activation module that writes in place to what its caller still reads.
TEST(Sites, InPlaceModuleWhoseArgumentIsReadBecomesASiteOfTheCaller) {
  const auto unit = std::make_shared<torch::jit::CompilationUnit>();
  const auto act = make_module(
      unit, "Act", "def forward(self, x: Tensor) -> Tensor:\n  return torch.silu_(x)\n");
  const auto root = make_module(unit, "Root",
                                "def forward(self, x: Tensor) -> Tensor:\n"
                                "  z = x * 2.0\n"
                                "  y = self.act.forward(z)\n"
                                "  return y * z\n",
                                {{"act", act}});
  EXPECT_EQ(described(adopt(root)), (Strings{"/forward/0 silu op_"}));
}

// A pre-activation block: what it writes to is the caller's shortcut.
TEST(Sites, InPlaceWriteToAnArgumentThatACallerReadsIsAnObstacle) {
  const auto unit = std::make_shared<torch::jit::CompilationUnit>();
  const auto block = make_module(unit, "Block",
                                 "def forward(self, x: Tensor) -> Tensor:\n"
                                 "  return torch.silu_(x) * 2.0\n");
  const auto body = make_module(
      unit, "Body", "def forward(self, x: Tensor) -> Tensor:\n  return self.block.forward(x)\n",
      {{"block", block}});
  const auto shortcut = make_module(unit, "Shortcut",
                                    "def forward(self, x: Tensor) -> Tensor:\n"
                                    "  z = x * 2.0\n"
                                    "  return self.body.forward(z) + z\n",
                                    {{"body", body}});
  const auto sites = find_sites(adopt(shortcut));
  ASSERT_EQ(sites.size(), 1U);
  EXPECT_EQ(sites[0].obstacle,
            "it writes in place to memory that 'add' reads afterwards under another name");

  const auto straight = make_module(unit, "Straight",
                                    "def forward(self, x: Tensor) -> Tensor:\n"
                                    "  return self.body.forward(x * 2.0)\n",
                                    {{"body", body}});
  EXPECT_EQ(find_sites(adopt(straight)).front().obstacle, "");
}

TEST(Observe, CallsStandBeforeAndAfter) {
  const auto unit = std::make_shared<torch::jit::CompilationUnit>();
  const auto root = make_module(unit, "Root",
                                "def forward(self, x: Tensor) -> Tensor:\n"
                                "  return torch.mish(x) * x\n");
  EXPECT_EQ(insert_observers(root).sites, Strings{"/forward/0"});
  EXPECT_EQ(canonical(graph_of(root)), R"IR(graph(%0 : __torch__.Root,
      %1 : Tensor):
  %2 : bool = prim::Constant[value=1]()
  %3 : bool = prim::Constant[value=0]()
  %4 : int = prim::GetAttr[name="actswap_site_0"](%0)
   = actswap::observe(%1, %4, %3)
  %5 : Tensor = aten::mish(%1)
  %6 : int = prim::GetAttr[name="actswap_site_0"](%0)
   = actswap::observe(%5, %6, %2)
  %7 : Tensor = aten::mul(%5, %1)
  return (%7)
)IR");
}

TEST(Observe, ReportsEverySiteAndChangesNothing) {
  for (const auto& entry : test_models()) {
    const auto model = load(entry.path);
    const auto io = recorded(entry.name);
    ObservedModel observed(model);
    std::vector<int> before(observed.sites().size());
    std::vector<int> after(observed.sites().size());
    SiteObserver observer;
    observer.before = [&](std::size_t site, const torch::Tensor&) { ++before[site]; };
    observer.after = [&](std::size_t site, const torch::Tensor&) { ++after[site]; };
    const auto outputs = observed.run(io.inputs, observer);
    EXPECT_LE(largest_difference(outputs, outputs_of(model.module, io.inputs)),
              rounding_of_attention(entry.name))
        << entry.name;
    EXPECT_EQ(before, after) << entry.name << testing::PrintToString(observed.sites());
    for (std::size_t site = 0; site < before.size(); ++site) {
      // Exceptions that forward does not reach: another method, and branches not taken. One
      // that other threads run, which are not watched.
      if (entry.name != "methods" && entry.name != "control_flow" &&
          !entry.name.starts_with("forked") && entry.name != "stateful_root" &&
          entry.name != "encoder" && entry.name != "encoder_frozen" && entry.name != "of_parts") {
        EXPECT_GE(before[site], 1) << entry.name << " " << observed.sites()[site];
      }
    }
  }
}

}  // namespace
}  // namespace actswap
