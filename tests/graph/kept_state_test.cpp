#include <actswap/graph/kept_state.h>

#include <gtest/gtest.h>

#include "models.h"

namespace actswap {
namespace {

TEST(KeptState, PutsBackWhatWasSetAndWritten) {
  const auto unit = std::make_shared<torch::jit::CompilationUnit>();
  auto child = make_module(unit, "Child", "def unused(self) -> int:\n  return 0\n");
  child.register_attribute("names",
                           c10::DictType::create(c10::StringType::get(), c10::IntType::get()),
                           c10::Dict<std::string, std::int64_t>());
  auto root =
      make_module(unit, "Root", "def unused(self) -> int:\n  return 0\n", {{"child", child}});
  root.register_attribute("calls", c10::IntType::get(), 3);
  root.register_buffer("sum", torch::ones({2, 2}));
  root.register_parameter("weight", torch::ones({2}), false);
  const auto buffer = root.attr("sum").toTensor();
  {
    const KeptState kept(root);
    root.setattr("calls", 4);
    root.attr("sum").toTensor().mul_(2.0);
    root.setattr("sum", torch::zeros({3}));
    child.attr("names").toGenericDict().insert(std::string("a"), std::int64_t{1});
    child.eval();
    root.attr("weight").toTensor().mul_(2.0);
  }
  EXPECT_EQ(root.attr("calls").toInt(), 3);
  EXPECT_TRUE(root.attr("sum").toTensor().is_same(buffer));
  EXPECT_TRUE(torch::equal(buffer, torch::ones({2, 2})));
  EXPECT_TRUE(child.attr("names").toGenericDict().empty());
  EXPECT_TRUE(child.is_training());
  // Parameters are what is trained.
  EXPECT_TRUE(torch::equal(root.attr("weight").toTensor(), torch::full({2}, 2.0)));
}

}  // namespace
}  // namespace actswap
