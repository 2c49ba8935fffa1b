// What nodes do with memory, held against what ATen's operators do when they run.
#include <actswap/graph/effects.h>

#include <gtest/gtest.h>
#include <torch/csrc/jit/runtime/operator.h>
#include <torch/script.h>
#include <torch/utils.h>

#include <set>

#include "ir.h"

namespace actswap {
namespace {

using Shared = std::vector<std::vector<std::size_t>>;

/// Of the last node of a graph.
Effects effects_in(const std::string& text) {
  const auto graph = parse(text);
  return effects_of(*graph->nodes().rbegin());
}

TEST(Effects, SchemasSayWhatIsWrittenAndShared) {
  const auto silu =
      effects_in("graph(%x : Tensor):\n  %y : Tensor = aten::silu_(%x)\n  return (%y)");
  EXPECT_EQ(silu.written, std::vector<std::size_t>{0});
  EXPECT_EQ(silu.shared, Shared{{0}});
  const auto sum = effects_in(
      "graph(%x : Tensor, %z : Tensor, %one : int):\n  %y : Tensor = aten::add(%x, %z, %one)\n"
      "  return (%y)");
  EXPECT_TRUE(sum.written.empty());
  EXPECT_EQ(sum.shared, Shared{{}});
  EXPECT_TRUE(sum.reads_values);
  const auto view = effects_in(
      "graph(%x : Tensor, %z : Tensor):\n  %y : Tensor = aten::view_as(%x, %z)\n  return (%y)");
  EXPECT_EQ(view.shared, Shared{{0}});
}

TEST(Effects, OfLists) {
  const auto chunk = effects_in(
      "graph(%x : Tensor, %n : int):\n  %y : Tensor[] = aten::chunk(%x, %n, %n)\n  return (%y)");
  EXPECT_TRUE(chunk.cuts);
  EXPECT_EQ(chunk.shared, Shared{{0}});
  // Indices may lie behind one another.
  EXPECT_FALSE(effects_in("graph(%x : Tensor, %at : int[], %n : int):\n"
                          "  %y : Tensor[] = aten::tensor_split(%x, %at, %n)\n  return (%y)")
                   .cuts);
  const auto append = effects_in(
      "graph(%l : Tensor[], %x : Tensor):\n  %y : Tensor[] = aten::append(%l, %x)\n  return (%y)");
  EXPECT_EQ(append.written, std::vector<std::size_t>{0});
  const auto item = effects_in(
      "graph(%l : Tensor[], %n : int):\n  %y : Tensor = aten::__getitem__(%l, %n)\n  return (%y)");
  EXPECT_EQ(item.shared, Shared{{0}});
  EXPECT_FALSE(item.reads_values);
  const auto cat = effects_in(
      "graph(%l : Tensor[], %n : int):\n  %y : Tensor = aten::cat(%l, %n)\n  return (%y)");
  EXPECT_EQ(cat.shared, Shared{{}});
  EXPECT_TRUE(cat.reads_values);
}

TEST(Effects, ShapesAreNoValues) {
  EXPECT_FALSE(
      effects_in("graph(%x : Tensor):\n  %y : int[] = aten::size(%x)\n  return (%y)").reads_values);
}

// Values to call an operator with; none: it cannot be called here.
std::vector<c10::IValue> samples(const c10::Argument& argument, std::size_t round) {
  static const std::vector<std::vector<std::int64_t>> kShapes = {{4}, {2, 3}, {3, 3}, {2, 3, 4, 4}};
  const auto& shape = kShapes[round % kShapes.size()];
  const auto tensor = [&] { return torch::rand(shape) + 0.1; };
  std::vector<c10::IValue> values;
  if (argument.default_value()) {
    values.push_back(*argument.default_value());
  }
  const auto kind = argument.type()->kind();
  if (kind == c10::TypeKind::TensorType) {
    values = {tensor()};
  } else if (*argument.type() == *c10::ListType::ofTensors()) {
    values = {c10::List<torch::Tensor>({tensor()})};
  } else if (kind == c10::TypeKind::BoolType) {
    values = {false, true};
  } else if (kind == c10::TypeKind::IntType) {
    values.insert(values.end(), {std::int64_t{0}, std::int64_t{1}});
  } else if (kind == c10::TypeKind::FloatType || kind == c10::TypeKind::NumberType) {
    values.insert(values.end(), {0.0, 1.0});
  } else if (*argument.type() == *c10::ListType::ofInts()) {
    values.insert(values.end(), {c10::IValue(shape), c10::IValue(std::vector<std::int64_t>{0, 0}),
                                 c10::IValue(std::vector<std::int64_t>{0})});
  } else if (kind == c10::TypeKind::StringType) {
    values.insert(values.end(), {c10::IValue("ij->ji"), c10::IValue("constant")});
  } else if (kind == c10::TypeKind::OptionalType && values.empty()) {
    values = {c10::IValue()};
  }
  return values;
}

std::set<void*> memory_of(const c10::IValue& value) {
  std::set<void*> found;
  value.visit([&](const c10::IValue& part) {
    if (part.isTensor() && part.toTensor().defined() && part.toTensor().has_storage() &&
        part.toTensor().numel() > 0) {
      found.insert(part.toTensor().storage().data_ptr().get());
    }
    return false;
  });
  return found;
}

/// Whether some call gave back memory that it was given.
bool gives_back_memory(const torch::jit::Operator& op) {
  const auto& arguments = op.schema().arguments();
  for (std::size_t round = 0; round < 24; ++round) {
    std::vector<c10::IValue> stack;
    std::set<void*> given;
    std::size_t choice = round / 4;
    for (const auto& argument : arguments) {
      const auto values = samples(argument, round);
      if (values.empty()) {
        return false;
      }
      stack.push_back(values[choice % values.size()]);
      choice = values.size() > 1 ? choice / values.size() : choice;
      given.merge(memory_of(stack.back()));
    }
    try {
      const torch::NoGradGuard no_grad;
      op.getOperation()(stack);
    } catch (const std::exception&) {
      continue;  // it does not take these
    }
    for (const auto& output : stack) {
      for (void* memory : memory_of(output)) {
        if (given.contains(memory)) {
          return true;
        }
      }
    }
  }
  return false;
}

bool effects_know(const torch::jit::Operator& op) {
  const auto graph = std::make_shared<torch::jit::Graph>();
  std::vector<torch::jit::Value*> inputs;
  for (const auto& argument : op.schema().arguments()) {
    inputs.push_back(graph->addInput()->setType(argument.type()));
  }
  auto* node = graph->create(c10::Symbol::fromQualString(op.schema().name()), inputs,
                             op.schema().returns().size());
  graph->insertNode(node);
  for (std::size_t i = 0; i < node->outputs().size(); ++i) {
    node->output(i)->setType(op.schema().returns()[i].type());
  }
  const auto shared = effects_of(node).shared;
  return std::any_of(shared.begin(), shared.end(), [](const auto& from) { return !from.empty(); });
}

// Private operators, and those that cannot run on plain tensors, are left out.
bool can_be_tried(const c10::FunctionSchema& schema) {
  const std::string& name = schema.name();
  const auto holds = [&](const char* part) { return name.find(part) != std::string::npos; };
  const bool writes = std::any_of(
      schema.arguments().begin(), schema.arguments().end(),
      [](const auto& a) { return a.alias_info() != nullptr && a.alias_info()->isWrite(); });
  const bool takes_tensor =
      std::any_of(schema.arguments().begin(), schema.arguments().end(), [](const auto& a) {
        return a.type()->kind() == c10::TypeKind::TensorType ||
               *a.type() == *c10::ListType::ofTensors();
      });
  return name.starts_with("aten::") && !name.starts_with("aten::_") && takes_tensor && !writes &&
         !holds("sparse") && !holds("quantize") && !holds("backward") && !holds("cudnn") &&
         !holds("miopen") && !holds("mkldnn") && !holds("fbgemm") && !holds("to_dense") &&
         !holds("as_tensor") && !holds("_cell") && !holds("save") && !holds("from_file") &&
         !holds("padded_sequence") && !holds("batch_norm") && !holds("special_");
}

struct Silent : c10::WarningHandler {
  void process(const c10::Warning& /*warning*/) override {}
};

TEST(Effects, KnowEveryOperatorThatGivesBackWhatItWasGiven) {
  Silent silent;
  const c10::WarningUtils::WarningHandlerGuard guard(&silent);
  torch::manual_seed(0);
  std::set<std::string> found;
  for (const auto& op : torch::jit::getAllOperators()) {
    if (can_be_tried(op->schema()) && gives_back_memory(*op)) {
      found.insert(op->schema().name());
      EXPECT_TRUE(effects_know(*op)) << op->schema();
    }
  }
  // It does try: some that are declared, and some that are not.
  for (const char* name : {"aten::view_as", "aten::contiguous", "aten::dropout", "aten::type_as",
                           "aten::einsum", "aten::atleast_2d", "aten::broadcast_tensors"}) {
    EXPECT_TRUE(found.contains(name)) << name;
  }
}

}  // namespace
}  // namespace actswap
