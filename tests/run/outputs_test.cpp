#include <actswap/base/error.h>
#include <actswap/run/outputs.h>

#include <gtest/gtest.h>

#include "models.h"

namespace actswap {
namespace {

/// What a module with this class beside it and this code gives for [1, 2].
c10::IValue output_of(const std::string& code) {
  const auto unit = std::make_shared<torch::jit::CompilationUnit>();
  auto module = make_module(unit, "m", "def forward(self, x: Tensor):\n" + code);
  return module.forward({torch::tensor({1.0F, 2.0F})});
}

std::vector<std::string> places(const Outputs& outputs) {
  std::vector<std::string> found;
  for (const auto& output : outputs) {
    found.push_back(output.place);
  }
  return found;
}

TEST(Outputs, AreTakenApartWithTheirPlaces) {
  const auto outputs = outputs_in(output_of(
      "  return {'a': [x, x + 1.0], 'b': [x * 2.0]}, (3, 2.5, True, 'text', 2j), [1, 2]\n"));
  EXPECT_EQ(places(outputs),
            (std::vector<std::string>{"[0]['a'][0]", "[0]['a'][1]", "[0]['b'][0]", "[1][0]",
                                      "[1][1]", "[1][2]", "[1][3]", "[1][4]", "[2][0]", "[2][1]"}));
  EXPECT_TRUE(torch::equal(outputs[2].value.toTensor(), torch::tensor({2.0F, 4.0F})));
  EXPECT_EQ(outputs[3].value.toInt(), 3);
  EXPECT_EQ(outputs[4].value.toDouble(), 2.5);
  EXPECT_TRUE(outputs[5].value.toBool());
  EXPECT_EQ(outputs[6].value.toStringRef(), "text");
  EXPECT_EQ(outputs[7].value.toComplexDouble(), (c10::complex<double>(0.0, 2.0)));
  EXPECT_EQ(outputs[9].value.toInt(), 2);
}

TEST(Outputs, OneValueHasNoPlace) {
  EXPECT_EQ(places(outputs_in(output_of("  return x\n"))), std::vector<std::string>{""});
  EXPECT_TRUE(outputs_in(output_of("  return None\n")).at(0).value.isNone());
  EXPECT_TRUE(outputs_in(torch::Tensor()).at(0).value.isNone());
}

TEST(Outputs, FieldsOfNamedTuplesAndObjectsHaveTheirNames) {
  const auto type = c10::TupleType::createNamed(
      c10::QualifiedName("Found"), std::vector<std::string>{"boxes", "labels"},
      std::vector<c10::TypePtr>{c10::TensorType::get(), c10::IntType::get()});
  const auto tuple = c10::ivalue::Tuple::createNamed({torch::zeros({2}), 3}, type);
  EXPECT_EQ(places(outputs_in(tuple)), (std::vector<std::string>{".boxes", ".labels"}));

  const auto unit = std::make_shared<torch::jit::CompilationUnit>();
  const auto node = c10::ClassType::create(c10::QualifiedName("__torch__.Node"), unit);
  node->addAttribute("value", c10::FloatType::get());
  node->addAttribute("next", c10::OptionalType::create(c10::TensorType::get()));
  const auto object =
      c10::ivalue::Object::create(c10::StrongTypePtr(unit, node), node->numAttributes());
  object->setSlot(0, 2.5);
  EXPECT_EQ(places(outputs_in(c10::ivalue::Tuple::create({object}))),
            (std::vector<std::string>{"[0].value", "[0].next"}));
}

TEST(Outputs, ALoopOfLinksHasAnEnd) {
  c10::impl::GenericList list(c10::AnyType::get());
  list.push_back(1.5);
  list.push_back(list);
  const auto outputs = outputs_in(list);
  ASSERT_EQ(outputs.size(), 2U);
  EXPECT_EQ(outputs[1].place, "[1]");
  EXPECT_EQ(outputs[1].value.toStringRef(), "<a link back to the output>");
  list.set(1, c10::IValue());  // or it would never be freed
}

TEST(Outputs, TooManyLevelsAreRefused) {
  c10::IValue value = 1.0;
  for (int i = 0; i < 900; ++i) {
    value = c10::ivalue::Tuple::create({value});
  }
  EXPECT_EQ(outputs_in(value).size(), 1U);
  for (int i = 0; i < 200; ++i) {
    value = c10::ivalue::Tuple::create({value});
  }
  EXPECT_THROW(outputs_in(value), UsageError);
}

TEST(Outputs, NumbersAreTensorsWhereThereIsNoOther) {
  const auto alone = tensors_in(output_of("  return (3, 2.5, 'text', True)\n"));
  ASSERT_EQ(alone.size(), 3U);
  EXPECT_EQ(alone[0].scalar_type(), torch::kInt64);
  EXPECT_EQ(alone[1].scalar_type(), torch::kFloat64);
  EXPECT_EQ(alone[1].dim(), 0);
  EXPECT_EQ(alone[1].item<double>(), 2.5);
  EXPECT_EQ(alone[2].scalar_type(), torch::kBool);
  const auto beside = tensors_in(output_of("  return (3, x)\n"));
  ASSERT_EQ(beside.size(), 1U);
  EXPECT_EQ(beside[0].dim(), 1);
}

}  // namespace
}  // namespace actswap
