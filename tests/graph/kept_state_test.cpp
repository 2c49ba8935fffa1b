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

TEST(KeptState, LeavesWhatIsToChange) {
  auto root = make_module(std::make_shared<torch::jit::CompilationUnit>(), "Root",
                          "def unused(self) -> int:\n  return 0\n");
  root.register_buffer("mean", torch::ones({2}));
  root.register_buffer("calls", torch::zeros({1}));
  root.register_parameter("weight", torch::ones({2}), false);
  const auto mean = root.attr("mean").toTensor();
  const auto calls = root.attr("calls").toTensor();
  {
    const KeptState kept(root, {mean});
    mean.add_(1.0);
    calls.add_(1.0);
    EXPECT_TRUE(kept.shares_memory(calls.view({1, 1})));
    EXPECT_TRUE(kept.shares_memory(root.attr("weight").toTensor().slice(0, 1)));
    EXPECT_FALSE(kept.shares_memory(calls.clone()));
  }
  EXPECT_EQ(mean.sum().item<float>(), 4.0F);
  EXPECT_EQ(calls.item<float>(), 0.0F);
}

TEST(KeptState, IsPutBackAgainAndAgain) {
  auto root = make_module(std::make_shared<torch::jit::CompilationUnit>(), "Root",
                          "def unused(self) -> int:\n  return 0\n");
  root.register_attribute("sizes", c10::ListType::ofInts(), c10::List<std::int64_t>({7}));
  root.register_buffer("calls", torch::zeros({2}));
  const KeptState kept(root);
  for (int i = 0; i < 3; ++i) {
    root.attr("sizes").toIntList().push_back(i);
    root.attr("calls").toTensor().resize_({3}).add_(1.0);
    kept.restore();
    EXPECT_EQ(root.attr("sizes").toIntVector(), std::vector<std::int64_t>{7});
    EXPECT_TRUE(torch::equal(root.attr("calls").toTensor(), torch::zeros({2})));
  }
}

// What a model writes to a buffer may have a gradient.
TEST(KeptState, BuffersHaveNoHistoryAfterwards) {
  auto root = make_module(std::make_shared<torch::jit::CompilationUnit>(), "Root",
                          "def unused(self) -> int:\n  return 0\n");
  root.register_buffer("last", torch::zeros({2}));
  const auto last = root.attr("last").toTensor();
  {
    const KeptState kept(root);
    last.copy_(torch::ones({2}, torch::requires_grad()) * 2.0);
    EXPECT_TRUE(last.requires_grad());
  }
  EXPECT_FALSE(last.requires_grad());
  EXPECT_TRUE(torch::equal(last, torch::zeros({2})));
}

TEST(KeptState, ListsAndObjectsOfOtherClassesAreAsTheyWere) {
  const auto unit = std::make_shared<torch::jit::CompilationUnit>();
  const auto counter = c10::ClassType::create("__torch__.Counter", unit);
  counter->addAttribute("calls", c10::IntType::get());
  counter->addAttribute("sum", c10::TensorType::get());
  unit->register_type(counter);
  const auto object = c10::ivalue::Object::create(c10::StrongTypePtr(unit, counter), 2);
  object->setAttr("calls", 1);
  object->setAttr("sum", torch::ones({2}));
  auto root = make_module(unit, "Root", "def unused(self) -> int:\n  return 0\n");
  root.register_attribute("counter", counter, object);
  root.register_buffer("buffer", torch::ones({2}));
  const auto buffer = root.attr("buffer").toTensor();
  const c10::List<torch::Tensor> list({buffer});
  root.register_attribute("list", c10::ListType::ofTensors(), list);
  root.register_attribute("same", c10::ListType::ofTensors(), list);
  {
    const KeptState kept(root);
    object->setAttr("calls", 2);
    object->getAttr("sum").toTensor().add_(1.0);
    buffer.mul_(3.0);
    root.attr("list").toTensorList().push_back(torch::zeros({1}));
  }
  EXPECT_EQ(object->getAttr("calls").toInt(), 1);
  EXPECT_TRUE(torch::equal(object->getAttr("sum").toTensor(), torch::ones({2})));
  EXPECT_TRUE(torch::equal(buffer, torch::ones({2})));
  ASSERT_EQ(root.attr("list").toTensorVector().size(), 1U);
  EXPECT_TRUE(root.attr("list").toTensorVector()[0].is_same(buffer));
  EXPECT_TRUE(root.attr("list").is(root.attr("same"))) << "one list with two names";
}

}  // namespace
}  // namespace actswap
