#include <actswap/graph/emit.h>
#include <actswap/graph/in_place.h>

#include <gtest/gtest.h>

#include <limits>

#include "ir.h"

namespace actswap {
namespace {

/// Every match without an obstacle becomes `target`.
std::string retargeted(const std::string& text, const std::string& target = "relu") {
  const auto graph = parse(text);
  const auto matches = match_all(*graph);
  std::vector<const Match*> pointers;
  for (const auto& match : matches) {
    pointers.push_back(&match);
  }
  Tracer tracer({}, pointers);
  tracer.run(nullptr, *graph);
  const auto uses = memory_uses(tracer);
  for (const auto& match : matches) {
    if (match.obstacle.empty() && uses.at({&match, nullptr}).obstacle.empty()) {
      replace_match(match, emit_activation(resolve(target), match.input, match.node));
    }
  }
  graph->lint();
  return canonical(graph);
}

Match only_match(const std::string& text) {
  const auto graph = parse(text);
  const auto matches = match_all(*graph);
  EXPECT_EQ(matches.size(), 1U) << text;
  Match match = matches.empty() ? Match{} : matches.front();
  match.node = nullptr;  // the graph ends here
  match.input = nullptr;
  return match;
}

TEST(Match, PlainOperator) {
  EXPECT_EQ(retargeted(R"IR(
graph(%x : Tensor):
  %y : Tensor = aten::mish(%x)
  return (%y))IR"),
            canonical(R"IR(
graph(%x : Tensor):
  %y : Tensor = aten::relu(%x)
  return (%y))IR"));
}

TEST(Match, InPlaceOperatorChangesWhatIsReadAfterwards) {
  EXPECT_EQ(retargeted(R"IR(
graph(%x : Tensor):
  %before : Tensor = aten::neg(%x)
  %y : Tensor = aten::silu_(%x)
  %sum : Tensor = aten::mul(%x, %y)
  %result : Tensor = aten::mul(%sum, %before)
  return (%result))IR"),
            canonical(R"IR(
graph(%x : Tensor):
  %before : Tensor = aten::neg(%x)
  %y : Tensor = aten::relu(%x)
  %sum : Tensor = aten::mul(%y, %y)
  %result : Tensor = aten::mul(%sum, %before)
  return (%result))IR"));
}

TEST(Match, FunctionWithBranchOnInplace) {
  const auto match = only_match(R"IR(
graph(%x : Tensor, %inplace : bool):
  %y : Tensor = prim::If(%inplace)
    block0():
      %a : Tensor = aten::mish_(%x)
      -> (%a)
    block1():
      %b : Tensor = aten::mish(%x)
      -> (%b)
  return (%y))IR");
  EXPECT_EQ(match.form, SiteForm::function);
  EXPECT_EQ(match.activation.to_string(), "mish");
  EXPECT_TRUE(match.in_place) << "a condition that is not known may be true";

  EXPECT_EQ(retargeted(R"IR(
graph(%x : Tensor):
  %inplace : bool = prim::Constant[value=0]()
  %y : Tensor = prim::If(%inplace)
    block0():
      %a : Tensor = aten::mish_(%x)
      -> (%a)
    block1():
      %b : Tensor = aten::mish(%x)
      -> (%b)
  %z : Tensor = aten::mul(%x, %y)
  return (%z))IR"),
            canonical(R"IR(
graph(%x : Tensor):
  %y : Tensor = aten::relu(%x)
  %z : Tensor = aten::mul(%x, %y)
  return (%z))IR"));
}

TEST(Match, InsideBranchesAndLoops) {
  EXPECT_EQ(retargeted(R"IR(
graph(%x : Tensor, %c : bool, %n : int):
  %true : bool = prim::Constant[value=1]()
  %y : Tensor = prim::If(%c)
    block0():
      %a : Tensor = aten::silu(%x)
      -> (%a)
    block1():
      %b : Tensor = aten::neg(%x)
      -> (%b)
  %z : Tensor = prim::Loop(%n, %true, %y)
    block0(%i : int, %carried : Tensor):
      %d : Tensor = aten::mish(%carried)
      -> (%true, %d)
  return (%z))IR"),
            canonical(R"IR(
graph(%x : Tensor, %c : bool, %n : int):
  %true : bool = prim::Constant[value=1]()
  %y : Tensor = prim::If(%c)
    block0():
      %a : Tensor = aten::relu(%x)
      -> (%a)
    block1():
      %b : Tensor = aten::neg(%x)
      -> (%b)
  %z : Tensor = prim::Loop(%n, %true, %y)
    block0(%i : int, %carried : Tensor):
      %d : Tensor = aten::relu(%carried)
      -> (%true, %d)
  return (%z))IR"));
}

// Views that nobody reads after the write are no obstacle: a channel split as GLU-like blocks do
// it.
TEST(Match, InPlaceOnAPartThatIsReadAlone) {
  EXPECT_EQ(retargeted(R"IR(
graph(%x : Tensor):
  %two : int = prim::Constant[value=2]()
  %one : int = prim::Constant[value=1]()
  %parts : Tensor[] = aten::chunk(%x, %two, %one)
  %a : Tensor, %b : Tensor = prim::ListUnpack(%parts)
  %y : Tensor = aten::silu_(%a)
  %z : Tensor = aten::mul(%y, %y)
  return (%z))IR"),
            canonical(R"IR(
graph(%x : Tensor):
  %two : int = prim::Constant[value=2]()
  %one : int = prim::Constant[value=1]()
  %parts : Tensor[] = aten::chunk(%x, %two, %one)
  %a : Tensor, %b : Tensor = prim::ListUnpack(%parts)
  %y : Tensor = aten::relu(%a)
  %z : Tensor = aten::mul(%y, %y)
  return (%z))IR"));
}

TEST(Match, ReadsParameters) {
  EXPECT_EQ(only_match(R"IR(
graph(%x : Tensor):
  %slope : float = prim::Constant[value=0.2]()
  %y : Tensor = aten::leaky_relu(%x, %slope)
  return (%y))IR")
                .activation.to_string(),
            "leaky_relu(slope=0.2)");
  EXPECT_EQ(only_match(R"IR(
graph(%x : Tensor):
  %how : str = prim::Constant[value="tanh"]()
  %y : Tensor = aten::gelu(%x, %how)
  return (%y))IR")
                .activation.to_string(),
            "gelu_tanh");
  EXPECT_EQ(only_match(R"IR(
graph(%x : Tensor):
  %lo : int = prim::Constant[value=0]()
  %hi : int = prim::Constant[value=6]()
  %y : Tensor = aten::hardtanh(%x, %lo, %hi)
  return (%y))IR")
                .activation.to_string(),
            "relu6");
}

Match hardtanh(double low, double high) {
  const auto graph = parse(R"IR(
graph(%x : Tensor):
  %lo : float = prim::Constant[value=0.]()
  %hi : float = prim::Constant[value=1.]()
  %y : Tensor = aten::hardtanh(%x, %lo, %hi)
  return (%y))IR");
  auto node = graph->nodes().begin();
  node->f_(c10::attr::value, low);
  (++node)->f_(c10::attr::value, high);
  auto match = match_all(*graph).at(0);
  match.node = nullptr;  // the graph ends here
  match.input = nullptr;
  return match;
}

TEST(Match, WithoutAnUpperBoundItIsRelu) {
  const double inf = std::numeric_limits<double>::infinity();
  const auto relu = hardtanh(0.0, inf);
  EXPECT_EQ(relu.activation.to_string(), "relu");
  EXPECT_EQ(relu.obstacle, "");
  EXPECT_EQ(hardtanh(-inf, 1.0).obstacle, "its parameter 'lo' is -inf");
  EXPECT_EQ(hardtanh(2.0, 1.0).obstacle, "lo must be below hi");
}

TEST(Match, ParameterThatIsNoConstantIsAnObstacle) {
  const auto match = only_match(R"IR(
graph(%x : Tensor, %slope : float):
  %y : Tensor = aten::leaky_relu(%x, %slope)
  return (%y))IR");
  EXPECT_EQ(match.obstacle, "its argument 'negative_slope' is not a constant");
}

// Graphs that must not change: there is no activation, or it cannot be replaced without changing
// what the program means.
class Unchanged : public testing::TestWithParam<const char*> {};

TEST_P(Unchanged, Graph) {
  EXPECT_EQ(retargeted(GetParam(), "hard_mish"), canonical(GetParam()));
}

INSTANTIATE_TEST_SUITE_P(
    Match, Unchanged,
    testing::Values(
        // No activation at all.
        R"IR(
graph(%x : Tensor, %y : Tensor):
  %z : Tensor = aten::matmul(%x, %y)
  return (%z))IR",
        // The branches apply different functions.
        R"IR(
graph(%x : Tensor, %c : bool):
  %y : Tensor = prim::If(%c)
    block0():
      %a : Tensor = aten::neg(%x)
      -> (%a)
    block1():
      %b : Tensor = aten::abs(%x)
      -> (%b)
  return (%y))IR",
        // A write seen through a view made before it.
        R"IR(
graph(%x : Tensor):
  %zero : int = prim::Constant[value=0]()
  %row : Tensor = aten::select(%x, %zero, %zero)
  %y : Tensor = aten::mish_(%x)
  %z : Tensor = aten::mul(%row, %y)
  return (%z))IR",
        // The same, through a view of a view.
        R"IR(
graph(%x : Tensor):
  %zero : int = prim::Constant[value=0]()
  %row : Tensor = aten::select(%x, %zero, %zero)
  %element : Tensor = aten::select(%row, %zero, %zero)
  %y : Tensor = aten::mish_(%x)
  %z : Tensor = aten::mul(%element, %y)
  return (%z))IR",
        // A write to one part of what is cut in two; the whole is read afterwards.
        R"IR(
graph(%x : Tensor):
  %two : int = prim::Constant[value=2]()
  %one : int = prim::Constant[value=1]()
  %parts : Tensor[] = aten::chunk(%x, %two, %one)
  %a : Tensor, %b : Tensor = prim::ListUnpack(%parts)
  %y : Tensor = aten::silu_(%a)
  %z : Tensor = aten::mul(%x, %b)
  return (%z))IR",
        // A write to a view, seen through what it views.
        R"IR(
graph(%x : Tensor):
  %zero : int = prim::Constant[value=0]()
  %row : Tensor = aten::select(%x, %zero, %zero)
  %y : Tensor = aten::silu_(%row)
  %z : Tensor = aten::mul(%x, %x)
  return (%z))IR",
        // A write in a branch, seen after the branch.
        R"IR(
graph(%x : Tensor, %c : bool):
  %y : Tensor = prim::If(%c)
    block0():
      %a : Tensor = aten::mish_(%x)
      -> (%a)
    block1():
      %b : Tensor = aten::neg(%x)
      -> (%b)
  %z : Tensor = aten::mul(%x, %y)
  return (%z))IR"));

TEST(Emit, EveryRowGivesOneTensorOfStockOperators) {
  for (const auto& row : activations()) {
    const auto graph = parse("graph(%x : Tensor):\n  %y : Tensor = aten::neg(%x)\n  return (%y)");
    auto* node = *graph->nodes().begin();
    node->output()->replaceAllUsesWith(
        emit_activation(resolve(row.name), graph->inputs()[0], node));
    node->destroy();
    graph->lint();
    ASSERT_EQ(graph->outputs().size(), 1U) << row.name;
    for (const auto* emitted : graph->nodes()) {
      const std::string space = emitted->kind().ns().toUnqualString();
      EXPECT_TRUE(space == "aten" || space == "prim")
          << row.name << ": " << emitted->kind().toQualString();
      EXPECT_NE(emitted->kind(), c10::prim::CallFunction) << row.name;
    }
  }
}

}  // namespace
}  // namespace actswap
