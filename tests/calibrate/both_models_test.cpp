#include <actswap/calibrate/both_models.h>
#include <actswap/graph/eval_mode.h>
#include <actswap/graph/flatten.h>
#include <actswap/graph/retarget.h>

#include <torch/script.h>

#include <gtest/gtest.h>

#include "calibrate/written.h"
#include "models.h"

namespace actswap {
namespace {

// Wide in the middle: 40 values of an example are alive there, 4 before and behind.
class WideInTheMiddle : public testing::Test {
 protected:
  WideInTheMiddle()
      : model_(adopt(written("Wide", {{"a", {40, 4}}, {"b", {4, 40}}, {"c", {4, 4}}},
                             "    y = torch.linear(torch.mish(x), self.a)\n"
                             "    y = torch.linear(torch.mish(y), self.b)\n"
                             "    return torch.linear(torch.mish(y), self.c)\n"))),
        swap_(model_, plan(model_, {})),
        program_(swap_.module()) {
    for (const auto* node : program_.graph().nodes()) {
      if (is_blend_call(node)) {
        steps_.push_back({program_.position(node), program_.position(node)});
      }
    }
    for (int i = 0; i < 4; ++i) {
      batches_.push_back({torch::randn({2, 4})});
    }
  }

  // Of each step, with so much memory for both models.
  std::vector<std::size_t> batches_with(std::int64_t memory) {
    BothModels models(program_, batches_, memory, {});
    models.plan(steps_, memory);
    std::vector<std::size_t> found;
    for (std::size_t step = 0; step < steps_.size(); ++step) {
      models.begin_step(step);
      found.push_back(models.batches());
    }
    return found;
  }

  Model model_;
  Retargeter swap_;
  Program program_;
  std::vector<BothModels::Settled> steps_;
  BothModels::Batches batches_;
};

constexpr std::int64_t kMiddle = 2 * 2 * 40 * 4;  // bytes of both models, for a batch of two

// As many as fit from there on: those that do not fit into the middle join behind it.
TEST_F(WideInTheMiddle, BatchesJoinWhereTheyFit) {
  EXPECT_EQ(batches_with(4 * kMiddle), (std::vector<std::size_t>{4, 4, 4}));
  EXPECT_EQ(batches_with(4 * kMiddle - 1), (std::vector<std::size_t>{3, 3, 4}));
  EXPECT_EQ(batches_with(kMiddle), (std::vector<std::size_t>{1, 1, 4}));
  EXPECT_EQ(batches_with(0), (std::vector<std::size_t>{1, 1, 1}));
}

TEST_F(WideInTheMiddle, ABatchThatJoinsLateIsWhereTheOthersAre) {
  const EvalMode eval(swap_.module());
  BothModels models(program_, batches_, 0, {});
  models.plan(steps_, kMiddle);
  models.begin_step(2);
  ASSERT_EQ(models.batches(), 4U);
  const auto* output = program_.graph().outputs()[0];
  for (std::size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(largest_difference(models.now(i, {models.made(output)}),
                                 outputs_of(model_.module, batches_[i])),
              0.0);
  }
}

}  // namespace
}  // namespace actswap
