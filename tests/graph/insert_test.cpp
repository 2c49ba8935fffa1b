#include <actswap/base/error.h>
#include <actswap/graph/insert.h>

#include <gtest/gtest.h>

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

Plan plan_for(const torch::jit::Module& root, const PlanOptions& options = {}) {
  return plan(adopt(root), options);
}

TEST(Insert, EachSiteCallsAChildModule) {
  const auto root = make_root();
  const auto inserted = insert_blends(root, plan_for(root));
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
  insert_blends(root, plan_for(root));
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

// The input of the second is the output of the first, which is replaced before it.
TEST(Insert, ActivationsInARow) {
  const auto unit = std::make_shared<CompilationUnit>();
  const auto root = make_module(unit, "Root",
                                "def forward(self, x: Tensor) -> Tensor:\n"
                                "  y = torch.silu_(torch.mish(x))\n"
                                "  return torch.mish(y) + y\n");
  EXPECT_EQ(insert_blends(root, plan_for(root)).paths.size(), 3U);
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

TEST(Insert, LeavesWhatThePlanKeeps) {
  const auto root = make_root();
  const auto before = canonical(graph_of(root));
  PlanOptions options;
  options.keep = {"/forward/0"};
  insert_blends(root, plan_for(root, options));
  EXPECT_EQ(canonical(graph_of(root)), before);
  EXPECT_FALSE(root.hasattr("actswap_blend_0"));
  EXPECT_TRUE(root.attr("act").toModule().hasattr("actswap_blend_0"));
}

TEST(Insert, CollapsePutsTheTargetInItsPlace) {
  const auto root = make_root();
  insert_blends(root, plan_for(root));
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
    insert_blends(root, plan);
    FAIL() << "the plan was accepted";
  } catch (const UsageError& error) {
    EXPECT_STREQ(error.what(), "The plan's site 'elsewhere/forward/0' is not in this model");
  }
}

}  // namespace
}  // namespace actswap
