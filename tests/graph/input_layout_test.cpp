// How tensors in a row become the arguments of forward.
#include <actswap/base/error.h>
#include <actswap/graph/input_layout.h>

#include <gtest/gtest.h>

#include "models.h"

namespace actswap {
namespace {

torch::jit::Module model_of(const std::string& methods, const Children& children = {}) {
  return make_module(std::make_shared<torch::jit::CompilationUnit>(), "M", methods, children);
}

std::vector<std::string> names(const torch::jit::Module& module) {
  return argument_names(module);
}

using Names = std::vector<std::string>;

TEST(InputLayout, TensorsAreTakenAsTheyAre) {
  const auto module = model_of("def forward(self, x, y: Optional[Tensor] = None):\n  return x\n");
  EXPECT_EQ(names(module), (Names{"x", "y"}));
  const InputLayout layout(module);
  EXPECT_EQ(layout.packed({torch::ones(2)}).size(), 1U);
  try {
    layout.packed({torch::ones(2), torch::ones(2), torch::ones(2)});
    ADD_FAILURE();
  } catch (const UsageError& error) {
    EXPECT_STREQ(error.what(), "The model takes 2 inputs (x, y), but got 3");
  }
}

TEST(InputLayout, ANumberKeepsItsDefault) {
  const auto module = model_of(
      "def forward(self, x, scale: int = 3, y: Optional[Tensor] = None):\n"
      "  return x * scale if y is None else y * scale\n");
  EXPECT_EQ(names(module), (Names{"x", "y"}));
  const auto ones = torch::ones(2);
  EXPECT_TRUE(torch::equal(outputs_of(module, {ones})[0], ones * 3));
  EXPECT_TRUE(torch::equal(outputs_of(module, {ones, ones * 2})[0], ones * 6));
}

TEST(InputLayout, AnArgumentThatNothingCanGiveIsNamed) {
  const auto module = model_of(
      "def forward(self, x, rate: int, sizes: List[int], more: Optional[bool] = None):\n"
      "  return x * rate\n");
  EXPECT_EQ(InputLayout(module).needs_values(), "'rate' (int), 'sizes' (List[int])");
  try {
    outputs_of(module, {torch::ones(2), torch::ones(1)});
    ADD_FAILURE();
  } catch (const UsageError& error) {
    EXPECT_NE(std::string(error.what()).find("takes 'rate' (int), 'sizes' (List[int]) too"),
              std::string::npos)
        << error.what();
  }
}

TEST(InputLayout, ADictHasTheKeysThatTheCodeReads) {
  auto unit = std::make_shared<torch::jit::CompilationUnit>();
  const auto inner = make_module(unit, "Inner",
                                 "def forward(self, d: Dict[str, Tensor]):\n"
                                 "  return d['mask'] * d['scratch']\n");
  const auto module = make_module(unit, "M",
                                  "def forward(self, x, d: Dict[str, Tensor]):\n"
                                  "  d['scratch'] = d['ids'] + x\n"
                                  "  return self.inner.forward(d) + d['ids']\n",
                                  {{"inner", inner}});
  EXPECT_EQ(names(module), (Names{"x", "ids", "mask"})) << "what the model puts in is no input";
  const auto ones = torch::ones(2);
  EXPECT_TRUE(torch::equal(outputs_of(module, {ones, ones * 2, ones * 3})[0], ones * 11));
  // The dict that it writes to is a new one each time.
  EXPECT_TRUE(torch::equal(outputs_of(module, {ones, ones * 2, ones * 3})[0], ones * 11));
  try {
    outputs_of(module, {ones, ones});
    ADD_FAILURE();
  } catch (const UsageError& error) {
    EXPECT_NE(
        std::string(error.what()).find("2 tensors for 'd' of the model (ids, mask), but got 1"),
        std::string::npos)
        << error.what();
  }
}

TEST(InputLayout, TuplesAndListsAreCounted) {
  const auto module = model_of(
      "def forward(self, t: Tuple[Tensor, Tensor], l: List[Tensor]):\n"
      "  a, b = t\n"
      "  return a - b + l[0] * l[2]\n");
  EXPECT_EQ(names(module), (Names{"t[0]", "t[1]", "l[0]", "l[1]", "l[2]"}));
  const auto ones = torch::ones(2);
  EXPECT_TRUE(
      torch::equal(outputs_of(module, {ones * 5, ones, ones * 2, ones, ones * 3})[0], ones * 10));
}

TEST(InputLayout, KeysOfTwoDictsAreToldApart) {
  const auto module = model_of(
      "def forward(self, a: Dict[str, Tensor], b: Dict[str, Tensor]):\n"
      "  return a['x'] + b['x'] + b['y']\n");
  EXPECT_EQ(names(module), (Names{"a.x", "b.x", "y"}));
}

}  // namespace
}  // namespace actswap
