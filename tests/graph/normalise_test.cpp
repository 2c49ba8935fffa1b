#include <actswap/graph/normalise.h>

#include <gtest/gtest.h>

#include "ir.h"
#include "models.h"

namespace actswap {
namespace {

using torch::jit::CompilationUnit;

std::shared_ptr<CompilationUnit> new_unit() {
  return std::make_shared<CompilationUnit>();
}

constexpr char kMish[] = "def forward(self, x: Tensor) -> Tensor:\n  return torch.mish(x)\n";

// Both calls of one activation module come into the caller, where each can be a site of its own.
TEST(Normalise, InlinesAReusedActivationModule) {
  const auto unit = new_unit();
  const auto root = make_module(unit, "Root",
                                "def forward(self, x: Tensor) -> Tensor:\n"
                                "  return self.act.forward(self.act.forward(x) + x)\n",
                                {{"act", make_module(unit, "Act", kMish)}});
  normalise(root);
  EXPECT_EQ(canonical(graph_of(root)), R"IR(graph(%0 : __torch__.Root,
      %1 : Tensor):
  %2 : int = prim::Constant[value=1]()
  %3 : Tensor = aten::mish(%1)
  %4 : Tensor = aten::add(%3, %1, %2)
  %5 : Tensor = aten::mish(%4)
  return (%5)
)IR");
}

TEST(Normalise, LeavesAModuleThatIsCalledOnce) {
  const auto unit = new_unit();
  const auto root = make_module(unit, "Root",
                                "def forward(self, x: Tensor) -> Tensor:\n"
                                "  return self.act.forward(x)\n",
                                {{"act", make_module(unit, "Act", kMish)}});
  const auto before = canonical(graph_of(root));
  normalise(root);
  EXPECT_EQ(canonical(graph_of(root)), before);
}

// Two objects of one class are two modules, each called once.
TEST(Normalise, LeavesTwoObjectsOfOneClass) {
  const auto unit = new_unit();
  const auto act = make_module(unit, "Act", kMish);
  const auto root = make_module(unit, "Root",
                                "def forward(self, x: Tensor) -> Tensor:\n"
                                "  return self.b.forward(self.a.forward(x))\n",
                                {{"a", act}, {"b", make_sibling(act)}});
  const auto before = canonical(graph_of(root));
  normalise(root);
  EXPECT_EQ(canonical(graph_of(root)), before);
}

// A module with a layer of its own is no activation module, however often it is called.
TEST(Normalise, LeavesAReusedModuleWithParameters) {
  const auto unit = new_unit();
  torch::jit::Module scaled(c10::QualifiedName("__torch__.Scaled"), unit, true);
  scaled.register_attribute("training", c10::BoolType::get(), true);
  scaled.register_parameter("scale", torch::ones({1}), false);
  scaled.define("def forward(self, x: Tensor) -> Tensor:\n  return torch.mish(x * self.scale)\n");
  const auto root = make_module(unit, "Root",
                                "def forward(self, x: Tensor) -> Tensor:\n"
                                "  return self.act.forward(self.act.forward(x))\n",
                                {{"act", scaled}});
  const auto before = canonical(graph_of(root));
  normalise(root);
  EXPECT_EQ(canonical(graph_of(root)), before);
}

// The caller reads what the module wrote to: the write has to be seen where the reading is.
TEST(Normalise, InlinesAnInPlaceModuleWhoseArgumentIsReadAfterwards) {
  const auto unit = new_unit();
  const auto act = make_module(unit, "Act",
                               "def forward(self, x: Tensor) -> Tensor:\n"
                               "  return torch.relu_(x)\n");
  const auto root = make_module(unit, "Root",
                                "def forward(self, x: Tensor) -> Tensor:\n"
                                "  z = x * 2.0\n"
                                "  y = self.act.forward(z)\n"
                                "  return y + z\n",
                                {{"act", act}});
  normalise(root);
  EXPECT_EQ(canonical(graph_of(root)), R"IR(graph(%0 : __torch__.Root,
      %1 : Tensor):
  %2 : float = prim::Constant[value=2.]()
  %3 : int = prim::Constant[value=1]()
  %4 : Tensor = aten::mul(%1, %2)
  %5 : Tensor = aten::relu_(%4)
  %6 : Tensor = aten::add(%5, %4, %3)
  return (%6)
)IR");
}

// What torch.nn.functional's functions are; another function stays a call.
TEST(Normalise, InlinesFunctionsThatApplyAnActivation) {
  const auto model = load(test_model("scripted_functional.pt"));
  const auto count = [&](c10::Symbol kind) {
    int found = 0;
    for (const auto* node : graph_of(model.module)->nodes()) {
      found += node->kind() == kind ? 1 : 0;
    }
    return found;
  };
  EXPECT_EQ(count(c10::prim::CallFunction), 4) << "mish and silu are functions, gelu is a builtin";
  normalise(model.module);
  EXPECT_EQ(count(c10::prim::CallFunction), 0);
  const auto io = recorded("scripted_functional");
  EXPECT_EQ(largest_difference(outputs_of(reload(model.module), io.inputs), io.outputs), 0.0);
}

TEST(Normalise, LeavesAModelWithoutActivations) {
  const auto model = load(test_model("no_activation.pt"));
  const auto before = canonical(graph_of(model.module));
  normalise(model.module);
  EXPECT_EQ(canonical(graph_of(model.module)), before);
}

}  // namespace
}  // namespace actswap
