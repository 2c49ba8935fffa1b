#include <actswap/graph/specialise.h>

#include <gtest/gtest.h>

#include "ir.h"
#include "models.h"

namespace actswap {
namespace {

/// root(x): b(a(x)), both of one class that holds an activation of one class.
torch::jit::Module make_siblings() {
  const auto unit = std::make_shared<torch::jit::CompilationUnit>();
  const auto act =
      make_module(unit, "Act", "def forward(self, x: Tensor) -> Tensor:\n  return torch.mish(x)\n");
  const auto cell = make_module(unit, "Cell",
                                "def forward(self, x: Tensor, n: int = 2) -> Tensor:\n"
                                "  if self.training:\n"
                                "    return self.act.forward(x) * n\n"
                                "  return self.act.forward(x)\n",
                                {{"act", act}});
  torch::jit::Module sibling(unit, cell.type());
  sibling.setattr("training", true);
  sibling.setattr("act", make_sibling(act)._ivalue());
  return make_module(unit, "Root",
                     "def forward(self, x: Tensor) -> Tensor:\n"
                     "  return self.b.forward(self.a.forward(x), 3)\n",
                     {{"a", cell}, {"b", sibling}});
}

torch::jit::Module part(const torch::jit::Module& module, const std::string& name) {
  return module.attr(name).toModule();
}

TEST(Specialise, OneClassForEachLabelUpTheTree) {
  const auto root = make_siblings();
  const auto x = torch::linspace(-2, 2, 9);
  const auto changed = specialise(root, {{part(part(root, "b"), "act")._ivalue().get(), "keep"}});
  const auto a = part(changed, "a");
  const auto b = part(changed, "b");
  EXPECT_NE(a.type(), b.type());
  EXPECT_NE(part(a, "act").type(), part(b, "act").type());
  EXPECT_EQ(canonical(graph_of(changed)), R"IR(graph(%0 : __torch__.___torch_mangle_2.Root,
      %1 : Tensor):
  %2 : int = prim::Constant[value=3]()
  %3 : int = prim::Constant[value=2]()
  %4 : __torch__.___torch_mangle_1.Cell = prim::GetAttr[name="b"](%0)
  %5 : __torch__.Cell = prim::GetAttr[name="a"](%0)
  %6 : Tensor = prim::CallMethod[name="forward"](%5, %1, %3)
  %7 : Tensor = prim::CallMethod[name="forward"](%4, %6, %2)
  return (%7)
)IR");
  const auto again = reload(changed);
  for (const auto& module : {changed, again}) {
    EXPECT_TRUE(torch::equal(outputs_of(module, {x})[0], outputs_of(reload(root), {x})[0]));
  }
  EXPECT_EQ(again.attr("b")
                .toModule()
                .get_method("forward")
                .function()
                .getSchema()
                .arguments()[2]
                .default_value()
                ->toInt(),
            2)
      << "defaults of arguments stay";
}

TEST(Specialise, LeavesAModelWhoseLabelsSplitNoClass) {
  const auto root = make_siblings();
  const auto a = part(part(root, "a"), "act");
  const auto b = part(part(root, "b"), "act");
  const auto same = specialise(root, {{a._ivalue().get(), "x"}, {b._ivalue().get(), "x"}});
  EXPECT_EQ(same._ivalue(), root._ivalue());
}

}  // namespace
}  // namespace actswap
