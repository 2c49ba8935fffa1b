#include <actswap/base/error.h>
#include <actswap/calibrate/replay.h>
#include <actswap/graph/blend.h>
#include <actswap/graph/eval_mode.h>
#include <actswap/graph/retarget.h>

#include <torch/script.h>

#include <gtest/gtest.h>

#include "models.h"

namespace actswap {
namespace {

using torch::jit::Module;

// The output, by going on from what is alive at a position.
std::vector<torch::Tensor> output_by(Program& program, std::size_t position,
                                     const std::vector<torch::Tensor>& inputs) {
  auto& graph = program.graph();
  std::vector<Moment> cut;
  for (const auto* value : program.alive(position)) {
    cut.push_back({value, position});
  }
  const auto alive = program.run(Which::fitted, 0, program.beginning(inputs), cut);
  const auto before = copy_tensors(inputs);
  std::vector<Moment> end;
  for (const auto* value : graph.outputs()) {
    end.push_back({value, program.position(graph.return_node())});
  }
  std::vector<torch::Tensor> first;
  std::vector<torch::Tensor> again;
  for (auto* tensors : {&first, &again}) {
    for (const auto& value : program.run(Which::fitted, position, alive, end)) {
      const auto found = tensors_in(value);
      tensors->insert(tensors->end(), found.begin(), found.end());
    }
  }
  EXPECT_EQ(largest_difference(first, again), 0.0) << "what was kept has changed";
  EXPECT_EQ(largest_difference(before, inputs), 0.0) << "the inputs have changed";
  return first;
}

// LibTorch's own run of the module is the judge, at every place where the program can be cut.
TEST(Program, GoesOnFromEveryPosition) {
  for (const auto& entry : test_models()) {
    if (entry.sites == 0) {
      continue;
    }
    const auto model = load(entry.path);
    Retargeter swap(model, plan(model, {}));
    const EvalMode eval(swap.module());
    const auto inputs = recorded(entry.name).inputs;
    const auto expected = outputs_of(swap.module(), inputs);
    Program program(swap.module());
    const auto end = program.position(program.graph().return_node());
    for (std::size_t position = 0; position <= end; ++position) {
      EXPECT_LE(largest_difference(output_by(program, position, inputs), expected), 1e-6)
          << entry.name << " at " << position;
    }
  }
}

// Left to itself, LibTorch's interpreter takes v away before the loop reads it.
TEST(Program, RunsLoopsWhereTheyStand) {
  const std::string loop =
      "    v = torch.mish(x)\n    w = v\n    for i in range(3):\n        w = w + "
      "v.contiguous().mean()\n";
  const auto unit = std::make_shared<torch::jit::CompilationUnit>();
  const auto root = make_module(unit, "Loops",
                                "def forward(self, x):\n" + loop + "    a = v + w.mean()\n" + loop +
                                    "    return a + v + w.mean()\n");
  const auto model = adopt(root);
  Retargeter swap(model, plan(model, {}));
  const EvalMode eval(swap.module());
  const auto inputs = std::vector<torch::Tensor>{torch::randn({2, 3})};
  const auto expected = outputs_of(swap.module(), inputs);
  Program program(swap.module());
  EXPECT_LE(largest_difference(output_by(program, 0, inputs), expected), 1e-6);
}

Module in_place() {
  const auto unit = std::make_shared<torch::jit::CompilationUnit>();
  return make_module(unit, "InPlace", R"(
def forward(self, x):
    y = x * 2.0
    parts = [y[:, :2], y]
    y.add_(1.0)
    z = torch.mish(parts[0])
    parts.append(z)
    parts[0].mul_(3.0)
    w = torch.cat(parts, 1)
    w += 1.0
    x.zero_()
    return w + y.sum()
)");
}

// Views, lists and inputs that are written to after they were kept.
TEST(Program, WhatIsWrittenInPlaceIsSeenByWhoHoldsIt) {
  const auto model = adopt(in_place());
  Retargeter swap(model, plan(model, {}));
  const auto inputs = std::vector<torch::Tensor>{torch::arange(8.0).reshape({2, 4}) - 3.0};
  const auto expected = outputs_of(model.module, inputs);
  Program program(swap.module());
  const auto end = program.position(program.graph().return_node());
  for (std::size_t position = 0; position <= end; ++position) {
    EXPECT_EQ(largest_difference(output_by(program, position, inputs), expected), 0.0) << position;
  }
}

// A value is asked for as it was then, not as it became.
TEST(Program, AMomentIsBeforeTheWrite) {
  const auto unit = std::make_shared<torch::jit::CompilationUnit>();
  const auto model = adopt(make_module(unit, "Later", R"(
def forward(self, x):
    y = x + 1.0
    z = torch.mish(y)
    y.mul_(10.0)
    return y + z
)"));
  Retargeter swap(model, plan(model, {}));
  Program program(swap.module());
  const torch::jit::Node* sum = program.graph().outputs()[0]->node();
  const torch::jit::Value* y = sum->input(0);
  const auto made = program.position(y->node()) + 1;
  const auto values =
      program.run(Which::fitted, 0, {torch::ones({3})}, {{y, made}, {y, program.position(sum)}});
  EXPECT_EQ(values[0].toTensor()[0].item<double>(), 2.0);
  EXPECT_EQ(values[1].toTensor()[0].item<double>(), 20.0);
}

// Constants too: the weights of a frozen model.
TEST(Program, AnOriginalMayBeGiven) {
  const auto model = load(test_model("frozen.pt"));
  const auto the_plan = plan(model, {});
  const auto io = recorded("frozen");
  const auto expected = outputs_of(model.module, io.inputs);
  Retargeter swap(model, the_plan);
  swap.set_blend(1.0);
  const Retargeter original(model, the_plan);
  Program program(swap.module(), original.module());
  const auto end = program.position(program.graph().return_node());
  const std::vector<Moment> output = {{program.graph().outputs()[0], end}};
  const auto run = [&](Which which) {
    return tensors_in(program.run(which, 0, program.beginning(io.inputs), output)[0]);
  };
  EXPECT_EQ(largest_difference(run(Which::original), expected), 0.0);
  EXPECT_GT(largest_difference(run(Which::fitted), expected), 0.0);
  EXPECT_THROW(Program(swap.module(), model.module), UsageError);
}

TEST(Replay, TheOriginalStays) {
  const auto model = load(test_model("scripted_module.pt"));
  Retargeter swap(model, plan(model, {}));
  const EvalMode eval(swap.module());
  Program program(swap.module());
  const auto io = recorded("scripted_module");
  const Replay::Batches batches = {io.inputs};
  Replay replay(program, batches);
  const auto end = program.position(program.graph().return_node());
  const Moment output = {program.graph().outputs()[0], end};
  const auto before = replay.run(Which::original, 0, {output}, 0);
  for (auto parameter : swap.module().parameters()) {
    const torch::NoGradGuard no_grad;
    parameter.add_(1.0);
  }
  EXPECT_EQ(largest_difference(replay.run(Which::original, 0, {output}, 0), before), 0.0);
  EXPECT_GT(largest_difference(replay.run(Which::fitted, 0, {output}, 0), before), 0.0);
}

// From the middle as from the inputs: the same values.
TEST(Replay, GoesOnFromWhatIsKept) {
  const auto model = load(test_model("scripted_module.pt"));
  Retargeter swap(model, plan(model, {}));
  const EvalMode eval(swap.module());
  Program program(swap.module());
  const auto inputs = recorded("scripted_module").inputs;
  const Replay::Batches batches = {inputs, inputs};
  Replay replay(program, batches);
  const auto end = program.position(program.graph().return_node());
  const Moment output = {program.graph().outputs()[0], end};
  const auto expected = replay.run(Which::fitted, 0, {output}, 0);
  EXPECT_EQ(replay.kept(), 0);
  for (std::size_t settled = 0; settled < end; settled += 5) {
    EXPECT_EQ(largest_difference(replay.run(Which::fitted, 0, {output}, settled), expected), 0.0);
  }
  EXPECT_GT(replay.kept(), 0);
  replay.forget();
  EXPECT_EQ(replay.kept(), 0);
  EXPECT_EQ(largest_difference(replay.run(Which::fitted, 1, {output}, 5), expected), 0.0);
}

TEST(Replay, SaysWhatItWouldKeep) {
  const auto model = load(test_model("scripted_module.pt"));
  Retargeter swap(model, plan(model, {}));
  const EvalMode eval(swap.module());
  Program program(swap.module());
  const Replay::Batches batches = {recorded("scripted_module").inputs};
  Replay replay(program, batches);
  const auto end = program.position(program.graph().return_node());
  const Moment output = {program.graph().outputs()[0], end};
  std::vector<std::size_t> positions;
  for (std::size_t position = 0; position < end; position += 3) {
    positions.push_back(position);
  }
  const auto expected = replay.bytes_at(0, positions);
  EXPECT_EQ(replay.kept(), 0);
  for (std::size_t i = 0; i < positions.size(); ++i) {
    replay.run(Which::fitted, 0, {output}, positions[i]);
    EXPECT_EQ(replay.kept(), expected[i]) << positions[i];
  }
}

TEST(Replay, SaysHowManyInputsAreExpected) {
  const auto model = load(test_model("two_inputs.pt"));
  Retargeter swap(model, plan(model, {}));
  Program program(swap.module());
  const Replay::Batches batches = {{torch::zeros({2, 4})}};
  EXPECT_THROW(Replay(program, batches), UsageError);
}

}  // namespace
}  // namespace actswap
