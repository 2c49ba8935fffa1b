// What the command says of data that cannot be computed with: before the first step, with the
// example.
#include "scratch.h"

#include <limits>

namespace {

using tool_test::expect_failure;
using tool_test::model_file;
using tool_test::write_tensors;

class BadData : public tool_test::InScratch {};

TEST_F(BadData, IsNamedBeforeAnythingIsTrained) {
  const auto x = torch::rand({12, 3, 8, 8});
  const auto y = torch::arange(12) % 4;
  auto nan = x.clone();
  nan[7][1][2][3] = std::numeric_limits<float>::quiet_NaN();
  auto wrong = y.clone();
  wrong[9] = 4;
  write_tensors(path("good.pt"), {{"x", x}, {"y", y}});
  write_tensors(path("nan.pt"), {{"x", nan}, {"y", y}});
  write_tensors(path("wrong.pt"), {{"x", x}, {"y", wrong}});
  write_tensors(path("short.pt"), {{"x", x}, {"y", y.narrow(0, 0, 11)}});
  write_tensors(path("none.pt"), {{"x", x.narrow(0, 0, 0)}, {"y", y.narrow(0, 0, 0)}});
  const auto model = model_file("scripted_module.pt");
  const auto outcomes =
      run_all({{"convert", model, "-o", "o.pt", "--train", "nan.pt"},
               {"convert", model, "-o", "o.pt", "--calibrate", "nan.pt"},
               {"eval", model, "--data", "nan.pt"},
               {"convert", model, "-o", "o.pt", "--train", "wrong.pt"},
               {"convert", model, "-o", "o.pt", "--train", "good.pt", "--val", "wrong.pt"},
               {"eval", model, "--data", "wrong.pt"},
               {"convert", model, "-o", "o.pt", "--train", "short.pt"},
               {"convert", model, "-o", "o.pt", "--train", "none.pt"}});
  for (std::size_t i = 0; i < 3; ++i) {
    expect_failure(outcomes[i], 2,
                   {"the input 'x' of 'nan.pt'", "example 7 holds NaN at [1, 2, 3]"});
  }
  expect_failure(outcomes[3], 2, {"from 0 to 3", "example 9 of the training data has the class 4"});
  expect_failure(outcomes[4], 2, {"example 9 of the validation data has the class 4"});
  expect_failure(outcomes[5], 2, {"example 9 of the evaluated data has the class 4"});
  expect_failure(outcomes[6], 3, {"as many examples in 'y' as in 'x'", "11 and 12"});
  expect_failure(outcomes[7], 2, {"examples in the training data", "there are none"});
  EXPECT_EQ(files(), (tool_test::Words{"good.pt", "nan.pt", "none.pt", "short.pt", "wrong.pt"}));
}

// Integers that are years, say, or numbers of another shape: the training does without them.
TEST_F(BadData, ATargetThatIsNotLearntIsNamed) {
  const auto x = torch::rand({12, 3, 8, 8});
  write_tensors(path("float.pt"), {{"x", x}, {"y", torch::rand({12})}});
  write_tensors(path("years.pt"), {{"x", x}, {"y", torch::arange(12) + 1990}});
  for (const char* data : {"float.pt", "years.pt"}) {
    const auto outcome = run_here({"convert", model_file("scripted_module.pt"), "-o", "o.pt",
                                   "--train", data, "--calibrate-passes", "1"});
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    EXPECT_TRUE(tool_test::contains(outcome.err, "the target of the training data is not learnt"));
  }
}

}  // namespace
