#include <actswap/graph/flatten.h>
#include <actswap/graph/walk.h>

#include <torch/script.h>

#include <gtest/gtest.h>

namespace actswap {
namespace {

// That a list of numbers, which are not known, is not None, the peephole pass finds; which branch
// is taken, constant propagation after it.
TEST(Flatten, FoldsUntilNothingIsLeftToFold) {
  torch::jit::Module module("m");
  module.define(R"(
def pool(self, x, stride: Optional[List[int]]):
    if stride is None:
        steps : List[int] = []
    else:
        steps = stride
    return torch.max_pool2d(x, [2, 2], steps)

def forward(self, x):
    steps = x.size(1)
    return self.pool(x, [steps, steps])
)");
  const auto graph = flatten(module);
  for_each_node(graph->block(), [](const torch::jit::Node* node) {
    EXPECT_NE(node->kind(), c10::prim::If) << *node;
  });
}

}  // namespace
}  // namespace actswap
